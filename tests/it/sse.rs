//! Server-sent events.

use baton::desk::sse::{Frame, Parser, TooLong};

fn frame(id: Option<&str>, event: &str, data: &str) -> Frame {
    Frame {
        id: id.map(str::to_owned),
        event: event.to_owned(),
        data: data.to_owned(),
    }
}

fn parse(bytes: &[u8]) -> Vec<Frame> {
    Parser::new(1 << 20).feed(bytes).expect("short enough")
}

#[test]
fn frames_are_read_as_the_standard_says() {
    let table: &[(&str, &[Frame])] = &[
        ("data: one\n\n", &[frame(None, "message", "one")]),
        (
            "data:one\r\rdata:two\r\n\r\n",
            &[frame(None, "message", "one"), frame(None, "message", "two")],
        ),
        ("event: ping\ndata: 0\n\n", &[frame(None, "ping", "0")]),
        (
            "id: 7\nevent: A\ndata: x\n\n",
            &[frame(Some("7"), "A", "x")],
        ),
        (
            "data: one\ndata:  two\ndata\n\n",
            &[frame(None, "message", "one\n two\n")],
        ),
        ("data\n\n", &[frame(None, "message", "")]),
        ("\u{feff}data: x\n\n", &[frame(None, "message", "x")]),
        (
            ": a comment\nretry: 3000\nunknown: x\ndata: y\n\n",
            &[frame(None, "message", "y")],
        ),
        (
            "id: 7\nevent: A\n\ndata: x\n\n",
            &[frame(None, "message", "x")],
        ),
        ("id: 7\u{0}\ndata: x\n\n", &[frame(None, "message", "x")]),
        ("id\ndata: x\n\n", &[frame(Some(""), "message", "x")]),
        ("data: not finished\n", &[]),
        ("\n\n\n", &[]),
    ];
    for (bytes, frames) in table {
        assert_eq!(parse(bytes.as_bytes()), *frames, "{bytes:?}");
    }
}

#[test]
fn any_chunking_of_the_same_bytes_gives_the_same_frames() {
    let pieces = [
        "data: ",
        "id: 4",
        "event: é",
        "🙂",
        "\u{feff}",
        "\r",
        "\n",
        "\r\n",
        "\n\n",
        "\r\r",
        ": c",
        "x",
    ];
    let mut random = fastrand::Rng::with_seed(20_261_120);
    for round in 0..2_000 {
        let bytes: Vec<u8> = (0..random.usize(1..40))
            .flat_map(|_| pieces[random.usize(..pieces.len())].bytes())
            .collect();
        let mut parser = Parser::new(1 << 20);
        let (mut chunked, mut rest) = (Vec::new(), bytes.as_slice());
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(random.usize(1..=rest.len().min(5)));
            chunked.extend(parser.feed(chunk).expect("short enough"));
            rest = later;
        }
        assert_eq!(chunked, parse(&bytes), "round {round}: {bytes:?}");
    }
}

#[test]
fn a_frame_has_a_longest_length_and_a_stream_has_none() {
    let mut parser = Parser::new(16);
    for _ in 0..100 {
        assert_eq!(
            parser
                .feed(b"data: 0123456789\n\n")
                .map(|frames| frames.len()),
            Ok(1)
        );
    }
    assert_eq!(
        parser.feed(b"data: 0123456789x"),
        Err(TooLong { bytes_max: 16 })
    );
    let mut parser = Parser::new(16);
    assert_eq!(
        parser.feed(b"data: 01\ndata: 0123"),
        Err(TooLong { bytes_max: 16 })
    );
}
