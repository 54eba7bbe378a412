//! What others chose, in an address.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// A text within one segment of an address: a `/` would be the segment's end.
#[must_use]
pub fn segment(text: &str) -> PercentEncode<'_> {
    const ESCAPED: AsciiSet = NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    utf8_percent_encode(text, &ESCAPED)
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn what_others_chose_stays_one_segment() {
        for (text, segment_of) in [
            ("acme/a-b_c.d~ é", "acme%2Fa-b_c.d~%20%C3%A9"),
            ("app:7?x#y%2F+z@", "app%3A7%3Fx%23y%252F%2Bz%40"),
        ] {
            assert_eq!(segment(text).to_string(), segment_of);
        }
    }
}
