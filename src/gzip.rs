//! A body as it was before something in between packed it.
//!
//! We ask for no coding, and some proxies and servers pack all the same. `ureq` can unpack, but asks
//! for it then, and gives nothing of a body that breaks off.

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// What every such body begins with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Unpacks up to `limit` bytes of `body`, if it is packed as `coding` says, which is the value of
/// `Content-Encoding`: some have unpacked it and still say so. As much as can be had of a damaged
/// one, and why that is not all.
#[must_use]
pub fn unpacked(body: Vec<u8>, coding: &str, limit: u64) -> (Vec<u8>, Option<String>) {
    let is_packed = coding.trim().to_ascii_lowercase().ends_with("gzip");
    if !is_packed || !body.starts_with(&MAGIC) {
        return (body, None);
    }
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(body.as_slice()).take(limit.saturating_add(1));
    let problem = decoder.read_to_end(&mut plain).err();
    let mut problem = problem.map(|error| format!("gzip: {error}"));
    if plain.len() as u64 > limit {
        plain.pop();
        problem = Some(format!("an answer of more than {limit} bytes"));
    }
    (plain, problem)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::unpacked;

    #[test]
    fn what_was_packed_is_unpacked_as_far_as_it_goes() {
        let text = "a job, a job, a job".repeat(50);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let size = text.len() as u64;
        for coding in ["gzip", "x-gzip", " GZIP"] {
            let (plain, problem) = unpacked(packed.clone(), coding, size);
            assert_eq!((&*plain, problem), (text.as_bytes(), None), "{coding}");
        }
        let (plain, problem) = unpacked(packed.clone(), "gzip", 10);
        assert_eq!(&*plain, &text.as_bytes()[..10]);
        assert!(problem.unwrap().contains("more than 10 bytes"));
        let (plain, problem) = unpacked(packed[..packed.len() - 4].to_vec(), "gzip", size);
        assert_eq!(&*plain, text.as_bytes());
        assert!(problem.unwrap().starts_with("gzip: "));
        for (body, coding) in [(&packed[..], ""), (&packed, "br"), (b"{}", "gzip")] {
            let untouched = (body.to_vec(), None);
            assert_eq!(unpacked(body.to_vec(), coding, size), untouched, "{coding}");
        }
    }
}
