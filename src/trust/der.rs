//! As much of DER as it takes to find the end of a certificate, and what OpenSSL writes behind it.

/// An element and what is behind it.
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    /// With its head.
    pub whole: &'a [u8],
    pub rest: &'a [u8],
}

pub const SEQUENCE: u8 = 0x30;
/// `[0]`, of several elements.
pub const FIRST_CHOICE: u8 = 0xa0;

/// The first element of `der`, if there is a whole one.
#[must_use]
pub fn first(der: &[u8]) -> Option<Element<'_>> {
    let (&tag, behind) = der.split_first()?;
    let (&first, behind) = behind.split_first()?;
    let (length, behind) = if first < 0x80 {
        (usize::from(first), behind)
    } else {
        let (bytes, behind) = behind.split_at_checked(usize::from(first & 0x7f))?;
        // More than this is no certificate, and would not fit into a number.
        let digits = bytes.iter().take_while(|_| bytes.len() <= 3);
        (
            digits.fold(0, |sum, byte| (sum << 8) | usize::from(*byte)),
            behind,
        )
    };
    let (content, rest) = behind.split_at_checked(length)?;
    Some(Element {
        tag,
        content,
        whole: &der[..der.len() - rest.len()],
        rest,
    })
}

/// All whole elements, one behind the other.
pub fn all(der: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = der;
    std::iter::from_fn(move || {
        let element = first(rest)?;
        rest = element.rest;
        Some(element)
    })
}
