//! A second look at how requests are framed (I28).
//!
//! hyper folds repeated `Content-Length` headers of one value and drops `Content-Length` beside
//! `Transfer-Encoding` before a handler sees the request. This reader of the same bytes counts both
//! headers, so that such a request can be refused. It decides nothing else: what it takes for the end
//! of a body only tells it where the next head begins.

/// Bytes of a line that are kept: enough for the framing headers.
const LINE_KEPT_MAX: usize = 128;

/// Where in a connection's bytes the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailers,
}

/// The framing headers of one head.
#[derive(Debug, Default)]
struct Seen {
    request_line: bool,
    lengths: u64,
    codings: u64,
    length: u64,
}

/// Reads the decrypted bytes of one connection as they pass.
#[derive(Debug)]
pub(crate) struct Framing {
    part: Part,
    line: Vec<u8>,
    is_cut: bool,
    seen: Seen,
    is_ambiguous: bool,
}

impl Framing {
    /// The beginning of a connection.
    pub(crate) fn new() -> Self {
        Self {
            part: Part::Head,
            line: Vec::new(),
            is_cut: false,
            seen: Seen::default(),
            is_ambiguous: false,
        }
    }

    /// Whether some request so far could be framed in two ways; nothing on the connection is believed
    /// from then on.
    pub(crate) const fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Reads on.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_ambiguous {
            let taken = match self.part {
                Part::Body(left) => self.skip(left, bytes.len(), Part::Head, Part::Body),
                Part::Chunk(left) => self.skip(left, bytes.len(), Part::ChunkSize, Part::Chunk),
                Part::Head | Part::ChunkSize | Part::Trailers => self.line_part(bytes),
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    fn skip(&mut self, left: u64, there: usize, next: Part, same: fn(u64) -> Part) -> usize {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(there);
        let left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        self.part = if left == 0 { next } else { same(left) };
        taken
    }

    fn line_part(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let room = LINE_KEPT_MAX.saturating_sub(self.line.len());
        self.is_cut |= part.len() > room;
        self.line.extend(part.iter().take(room));
        if end.is_some() {
            let mut line = std::mem::take(&mut self.line);
            if line.last() == Some(&b'\r') && !self.is_cut {
                line.pop();
            }
            self.ended(&line);
            line.clear();
            self.line = line;
            self.is_cut = false;
        }
        part.len().saturating_add(usize::from(end.is_some()))
    }

    fn ended(&mut self, line: &[u8]) {
        match self.part {
            // Empty lines before a request are passed over (RFC 9112 section 2.2).
            Part::Head if line.is_empty() && !self.seen.request_line => {}
            Part::Head if line.is_empty() => self.head_ended(),
            Part::Head if !self.seen.request_line => self.seen.request_line = true,
            Part::Head => self.header(line),
            Part::ChunkSize => self.chunk(line),
            Part::Trailers if line.is_empty() => self.part = Part::Head,
            Part::Trailers | Part::Body(_) | Part::Chunk(_) => {}
        }
    }

    fn header(&mut self, line: &[u8]) {
        let Some((name, value)) = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.split_once(':'))
        else {
            return;
        };
        if name.eq_ignore_ascii_case("transfer-encoding") {
            self.seen.codings = self.seen.codings.saturating_add(1);
        } else if name.eq_ignore_ascii_case("content-length") {
            self.seen.lengths = self.seen.lengths.saturating_add(1);
            match value.trim_matches([' ', '\t']).parse() {
                Ok(length) if !self.is_cut => self.seen.length = length,
                Ok(_) | Err(_) => self.is_ambiguous = true,
            }
        }
    }

    fn head_ended(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        self.is_ambiguous |= seen.lengths.saturating_add(seen.codings) > 1;
        self.part = match seen.length {
            _ if seen.codings > 0 => Part::ChunkSize,
            0 => Part::Head,
            length => Part::Body(length),
        };
    }

    fn chunk(&mut self, line: &[u8]) {
        let digits = line
            .split(|byte| matches!(byte, b';' | b' ' | b'\t'))
            .next()
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.map(|digits| u64::from_str_radix(digits, 16)) {
            Some(Ok(0)) => self.part = Part::Trailers,
            // The data ends with a line break of its own.
            Some(Ok(size)) => self.part = Part::Chunk(size.saturating_add(2)),
            Some(Err(_)) | None => self.is_ambiguous = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde";
    const CHUNKED: &str = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nabcde\r\nA;x=y\r\nContent-Le\r\n0\r\nContent-Length: 9\r\n\r\n";
    const BARE: &str = "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";

    fn is_ambiguous(text: &str) -> bool {
        let mut whole = Framing::new();
        whole.pass(text.as_bytes());
        for step in 1..7 {
            let mut parts = Framing::new();
            text.as_bytes()
                .chunks(step)
                .for_each(|part| parts.pass(part));
            assert_eq!(parts.is_ambiguous(), whole.is_ambiguous(), "{text}");
            assert_eq!(parts.part, whole.part, "{text}");
        }
        whole.is_ambiguous()
    }

    #[test]
    fn sound_requests_pass_in_any_order_and_in_any_pieces() {
        for first in [PLAIN, CHUNKED, BARE] {
            for second in [PLAIN, CHUNKED, BARE] {
                assert!(!is_ambiguous(&[first, second, first].concat()));
            }
        }
        let long = format!(
            "GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
            "x".repeat(500)
        );
        assert!(!is_ambiguous(&[&long, PLAIN].concat()));
        // A body may look like a head.
        let inner = "Content-Length: 1\r\nContent-Length: 1\r\n\r\n";
        let outer = format!(
            "POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{inner}",
            inner.len()
        );
        assert!(!is_ambiguous(&[&outer, BARE].concat()));
    }

    #[test]
    fn refuses_two_framings_of_one_request_wherever_it_stands() {
        for headers in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\ncontent-length:5\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nHost: h\r\nCONTENT-LENGTH: 6\r\n",
            "Transfer-Encoding: gzip\r\ntransfer-encoding: chunked\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5x\r\n",
            "Content-Length:\r\n",
        ] {
            for before in ["", PLAIN, CHUNKED, BARE] {
                let text = format!("{before}POST /a HTTP/1.1\r\n{headers}\r\nabcde");
                assert!(is_ambiguous(&text), "{text}");
                assert!(is_ambiguous(&text.replace("\r\n\r\n", "\n\n")));
            }
        }
    }

    #[test]
    fn keeps_a_bounded_part_of_a_line_and_a_cut_length_is_no_length() {
        let mut framing = Framing::new();
        framing.pass(&[b'x'; 100_000]);
        assert!(framing.line.len() <= LINE_KEPT_MAX);
        let text = format!(
            "POST / HTTP/1.1\r\nContent-Length: {}5\r\n\r\n",
            " ".repeat(LINE_KEPT_MAX)
        );
        assert!(is_ambiguous(&text));
        let text = format!(
            "POST / HTTP/1.1\r\nContent-Length: 5{}\r\n\r\n",
            " ".repeat(LINE_KEPT_MAX)
        );
        assert!(is_ambiguous(&text));
    }
}
