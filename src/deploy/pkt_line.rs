//! Packets, as git's programs and its remotes exchange them: four hexadecimal digits of length, which
//! count themselves, and that many bytes. A length of zero is a flush: the end of a list.
//!
//! What is in a packet is not known here, but for the beginning of what a remote advertises over
//! HTTP, which is for the client and not for git.

/// The end of a list.
pub const FLUSH: &[u8] = b"0000";
/// The length of a packet, itself included. Git writes none that is longer.
const LONGEST: usize = 65_520;
/// The digits of a length.
const DIGITS: usize = 4;

#[derive(Debug, PartialEq, Eq)]
pub enum Packet {
    Data(Vec<u8>),
    Flush,
}

/// Bytes that are no packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// One packet. `content` is a line of ours, far shorter than the longest.
#[must_use]
pub fn packet(content: &str) -> Vec<u8> {
    format!("{:04x}{content}", content.len() + DIGITS).into_bytes()
}

/// Packets out of bytes that come in pieces.
#[derive(Default)]
pub struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    pub fn feed(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// The next packet; none, as long as it is not complete.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn take(&mut self) -> Result<Option<Packet>, Malformed> {
        let Some(length) = length(&self.bytes)? else {
            return Ok(None);
        };
        if length == 0 {
            self.bytes.drain(..DIGITS);
            return Ok(Some(Packet::Flush));
        }
        if self.bytes.len() < length {
            return Ok(None);
        }
        let packet: Vec<_> = self.bytes.drain(..length).skip(DIGITS).collect();
        Ok(Some(Packet::Data(packet)))
    }

    /// What came behind the last packet.
    #[must_use]
    pub fn into_rest(self) -> Vec<u8> {
        self.bytes
    }
}

/// What is for git in an advertisement: all behind the line that names the service, and the flush
/// behind that line. It is packets up to one flush, or git would wait for more.
///
/// # Errors
/// [`Malformed`], for anything else.
pub fn advertised<'a>(body: &'a [u8], service: &str) -> Result<&'a [u8], Malformed> {
    let (announcement, rest) = split(body)?;
    let named = announcement.strip_prefix(b"# service=").ok_or(Malformed)?;
    if named.trim_ascii_end() != service.as_bytes() {
        return Err(Malformed);
    }
    let advertisement = rest.strip_prefix(FLUSH).ok_or(Malformed)?;
    let mut rest = advertisement;
    while rest != FLUSH {
        (_, rest) = split(rest)?;
    }
    Ok(advertisement)
}

/// A packet's content, and what is behind it. A flush is none.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let length = length(bytes)?.filter(|length| *length > 0);
    let (packet, rest) = length
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or(Malformed)?;
    Ok((&packet[DIGITS..], rest))
}

/// What the first packet says of its length; none, as long as that is not there. Zero is a flush;
/// the other lengths that would not even count their own digits are of a later protocol.
fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(digits) = bytes.get(..DIGITS) else {
        return Ok(None);
    };
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let digits = str::from_utf8(digits).ok().filter(|_| is_hex);
    let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
    let length = length.filter(|length| matches!(length, 0 | DIGITS..=LONGEST));
    length.map(Some).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{FLUSH, LONGEST, Malformed, Packet, Reader, advertised, packet};

    fn all(pieces: &[&[u8]]) -> Result<Vec<Packet>, Malformed> {
        let mut reader = Reader::default();
        let mut packets = Vec::new();
        for piece in pieces {
            reader.feed(piece);
            while let Some(packet) = reader.take()? {
                packets.push(packet);
            }
        }
        Ok(packets)
    }

    #[test]
    fn packets_are_read_however_they_are_cut() {
        let data = |text: &str| Packet::Data(text.into());
        assert_eq!(packet("a\n"), b"0006a\n");
        let whole = b"0006a\n0004000cabcdefgh00";
        let expected = Ok(vec![data("a\n"), data(""), data("abcdefgh")]);
        assert_eq!(all(&[whole]), expected);
        assert_eq!(all(&whole.chunks(1).collect::<Vec<_>>()), expected);
        let mut longest = format!("{LONGEST:04x}").into_bytes();
        longest.resize(LONGEST, b'x');
        assert_eq!(all(&[&longest, FLUSH]).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_packet_is_not_read() {
        for bytes in [
            "0001",
            "0003",
            "fff1",
            "+00f",
            "<htm",
            "00 8",
            "\u{fffd}000",
        ] {
            assert_eq!(all(&[bytes.as_bytes()]), Err(Malformed), "{bytes}");
        }
    }

    #[test]
    fn an_advertisement_loses_its_announcement_and_nothing_else() {
        let service = "git-receive-pack";
        let read = |body: &str| advertised(body.as_bytes(), service).map(<[u8]>::to_vec);
        let announced = "001f# service=git-receive-pack\n0000";
        for refs in ["0000", "0006a\n0000", "0006a\n0006b\n0000"] {
            assert_eq!(read(&format!("{announced}{refs}")), Ok(refs.into()));
        }
        for body in [
            "",
            "0000",
            "0006a\n0000",
            announced,
            "001e# service=git-upload-pack\n00000000",
            "001f# service=git-receive-pack\n0006a\n0000",
            // Cut, or with something behind its end.
            &format!("{announced}0006a\n"),
            &format!("{announced}0006a"),
            &format!("{announced}0006a\n00000006b\n"),
            &format!("{announced}<html>"),
        ] {
            assert_eq!(read(body), Err(Malformed), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_packets_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = all(&[&bytes]);
            let announced: &[u8] = b"001f# service=git-receive-pack\n0000";
            let body = [announced, &bytes].concat();
            if let Ok(refs) = advertised(&body, "git-receive-pack") {
                prop_assert!(refs.ends_with(FLUSH));
                prop_assert_eq!(refs, &bytes[..]);
            }
        }
    }
}
