//! Server-sent events: bytes in, frames out.
//!
//! As the HTML standard has it (section 9.2, "Server-sent events"), with a bound on the size of a frame.

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The id it carries; `None` when it carries none.
    pub id: Option<String>,
    /// Its kind; `message` unless it says otherwise.
    pub event: String,
    /// Its lines of data, joined.
    pub data: String,
}

/// A frame is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream has more than {bytes_max} bytes")]
pub struct TooLong {
    /// How many are allowed.
    pub bytes_max: usize,
}

/// Takes bytes in pieces of any size, and gives the frames they complete.
#[derive(Debug)]
pub struct Parser {
    frame_bytes_max: usize,
    /// Bytes of lines of this frame that are done.
    frame_bytes: usize,
    /// The line that is not done.
    line: Vec<u8>,
    /// A CR ended the last line; an LF right after it belongs to it.
    after_cr: bool,
    /// Whether a byte order mark may still come.
    at_start: bool,
    id: Option<String>,
    event: String,
    data: Option<String>,
}

impl Parser {
    /// A parser at the start of a stream.
    pub fn new(frame_bytes_max: usize) -> Self {
        Self {
            frame_bytes_max,
            frame_bytes: 0,
            line: Vec::new(),
            after_cr: false,
            at_start: true,
            id: None,
            event: String::new(),
            data: None,
        }
    }

    /// The frames that these bytes complete. After an error the stream cannot be read on.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, TooLong> {
        let mut frames = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => frames.extend(self.end_of_line()),
                _ if self.frame_bytes + self.line.len() < self.frame_bytes_max => {
                    self.line.push(byte);
                }
                _ => {
                    let bytes_max = self.frame_bytes_max;
                    return Err(TooLong { bytes_max });
                }
            }
        }
        Ok(frames)
    }

    /// An empty line completes the frame; any other adds to it.
    fn end_of_line(&mut self) -> Option<Frame> {
        let line = std::mem::take(&mut self.line);
        self.frame_bytes += line.len();
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if self.at_start => rest,
            _ => &line,
        };
        self.at_start = false;
        if line.is_empty() {
            return self.end_of_frame();
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event = value.to_owned(),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // The standard: an id with a NUL in it is none.
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // `retry` is read over, as are comments (a field without a name): when to reconnect is ours to decide.
            _ => {}
        }
        None
    }

    fn end_of_frame(&mut self) -> Option<Frame> {
        self.frame_bytes = 0;
        let (id, event) = (self.id.take(), std::mem::take(&mut self.event));
        let data = self.data.take()?;
        let event = if event.is_empty() {
            "message".to_owned()
        } else {
            event
        };
        Some(Frame { id, event, data })
    }
}
