//! Cutting a section out of the configuration, and nothing else.
//!
//! The text is not understood, only tried: what is left must read as the same configuration without
//! that runner. The shortest cut that does so leaves all comments behind the section's last key,
//! which belong to what follows.

use toml::{Table, Value};

/// `text`, which reads as `document`, without the runner of this number; none, where no run of whole
/// lines is that runner.
pub fn without(text: &str, document: &Table, number: usize) -> Option<String> {
    let wanted = reduced(document.clone(), number)?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_head = |line: &&str| line.trim_start().starts_with("[[");
    let heads = (0..lines.len()).filter(|start| is_head(&lines[*start]));
    let cuts = heads.flat_map(|start| (start + 1..=lines.len()).map(move |end| (start, end)));
    let mut texts = cuts.map(|(start, end)| {
        // Not two empty lines where the section was.
        let blank = |at: usize| lines.get(at).is_none_or(|line| line.trim().is_empty());
        let end = if blank(end) && (start == 0 || blank(start - 1)) {
            lines.len().min(end + 1)
        } else {
            end
        };
        lines[..start].concat() + &lines[end..].concat()
    });
    texts.find(|text| text.parse::<Table>().is_ok_and(|left| left == wanted))
}

fn reduced(mut document: Table, number: usize) -> Option<Table> {
    let runners = document.get_mut("runners").and_then(Value::as_array_mut)?;
    if number >= runners.len() {
        return None;
    }
    runners.remove(number);
    if runners.is_empty() {
        document.remove("runners");
    }
    Some(document)
}

#[cfg(test)]
mod tests {
    use super::without;

    const TEXT: &str = "# all\nstate_file = \"x\"\n\n[[runners]]\nname = \"a\"\n[runners.docker]\n\
        image = '''\n[[runners]]\n'''\n\n# of b\n[[runners]] # b\nname = \"b\" # the end\n\n\
        [quota_computation]\nreference_runner = \"b\"\n";

    fn cut(text: &str, number: usize) -> Option<String> {
        without(text, &text.parse().unwrap(), number)
    }

    #[test]
    fn a_section_goes_with_its_tables_and_nothing_else_goes() {
        let left = cut(TEXT, 0).unwrap();
        assert_eq!(
            left,
            "# all\nstate_file = \"x\"\n\n# of b\n[[runners]] # b\nname = \"b\" # the end\n\n\
             [quota_computation]\nreference_runner = \"b\"\n"
        );
        let left = cut(TEXT, 1).unwrap();
        assert!(
            left.ends_with("'''\n\n# of b\n\n[quota_computation]\nreference_runner = \"b\"\n"),
            "{left}"
        );
        let last = cut(&left, 0).unwrap();
        assert!(
            last.starts_with("# all\nstate_file = \"x\"\n\n# of b\n"),
            "{last}"
        );
        assert_eq!(cut(TEXT, 2), None);
    }

    #[test]
    fn a_section_of_another_shape_is_left_to_a_person() {
        assert_eq!(cut("runners = [{ name = \"a\" }]\n", 0), None);
    }
}
