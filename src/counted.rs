//! Numbers of things, in words.

/// `1 job`, `2 jobs`: for things whose plural has an s.
#[must_use]
pub fn counted(count: usize, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn only_one_is_one() {
        let told = [0, 1, 2].map(|count| counted(count, "job"));
        assert_eq!(told, ["0 jobs", "1 job", "2 jobs"]);
    }
}
