//! The job's log as the inner runner keeps it: what was written, and how much of it the
//! coordinator has.

/// `gitlab-runner` sends no more at once.
const PATCH_LIMIT: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Log {
    bytes: Vec<u8>,
    sent: usize,
}

impl Log {
    pub fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn write_line(&mut self, line: &str) {
        self.write(line.as_bytes());
        self.write(b"\n");
    }

    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub const fn sent(&self) -> usize {
        self.sent
    }

    /// What to send next; `None` when the coordinator's log is longer than ours.
    pub fn next(&self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.sent..)?;
        Some(&rest[..rest.len().min(PATCH_LIMIT)])
    }

    pub const fn set_sent(&mut self, sent: usize) {
        self.sent = sent;
    }

    /// Of the whole log, as the final update wants it.
    pub fn checksum(&self) -> String {
        format!("crc32:{:08x}", crc32(&self.bytes))
    }
}

/// The checksum of zip and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Log, crc32};

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(Log::default().checksum(), "crc32:00000000");
    }

    #[test]
    fn a_log_shorter_than_the_coordinators_has_nothing_to_send() {
        let mut log = Log::default();
        log.write(b"abc");
        log.set_sent(3);
        assert_eq!(log.next(), Some(&b""[..]));
        log.set_sent(4);
        assert_eq!(log.next(), None);
        log.write_line("d");
        assert_eq!(log.next(), Some(&b"\n"[..]));
    }
}
