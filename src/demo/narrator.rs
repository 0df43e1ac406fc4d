//! Tells what happens, as it happens: a timeline for people, or a line of JSON per event for programs.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::account::Summary;
use super::page::{self, Align};
use crate::domain::channel::Channel;
use crate::domain::clock::Clock;
use crate::domain::connection::DeskKind;

/// Wider lines are hard to read, and narrower ones cannot hold a table.
const COLUMNS: std::ops::RangeInclusive<usize> = 64..=100;

/// Where the text of a line begins, after time and actor.
const INDENT: usize = 20;

/// After each line on a terminal: about the time to read half of it.
const BETWEEN_LINES: Duration = Duration::from_millis(140);

/// Before each chapter on a terminal, to take in the one before.
const BETWEEN_CHAPTERS: Duration = Duration::from_millis(700);

/// A wait that is longer than this is shown while it lasts.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two pictures of a wait.
const FRAME: Duration = Duration::from_millis(250);

/// The pictures of a wait, in turn.
const FRAMES: [&str; 4] = ["·  ", "·· ", "···", " ··"];

/// What a reader may do now.
fn next(desk: DeskKind) -> String {
    format!(
        "Next:  {:<30} the desk alone, for your own tests\n         \
         {:<30} to connect a real one\n         \
         {:<30} the worker",
        format!("baton simulate {desk}"),
        "baton connection add --help",
        "baton serve",
    )
}

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// RabbitMQ.
    Broker,
    /// The simulated help desk.
    Desk,
    /// The worker.
    Baton,
    /// Who runs Baton.
    Operator,
    /// The AI agent upstream.
    Agent,
    /// A human rep.
    Rep,
    /// Who wanted a human.
    Contact,
    /// What sends to contacts on a channel.
    Channel(Channel),
    /// This program.
    Demo,
}

impl Actor {
    fn as_str(self) -> &'static str {
        match self {
            Self::Broker => "rabbitmq",
            Self::Desk => "desk",
            Self::Baton => "baton",
            Self::Operator => "operator",
            Self::Agent => "ai agent",
            Self::Rep => "rep",
            Self::Contact => "contact",
            Self::Channel(channel) => channel.as_str(),
            Self::Demo => "demo",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Broker => Style::Dim,
            Self::Demo => Style::Bold,
            Self::Desk | Self::Rep => Style::Magenta,
            Self::Baton => Style::Cyan,
            Self::Operator => Style::Yellow,
            Self::Agent => Style::Blue,
            Self::Contact | Self::Channel(_) => Style::Green,
        }
    }
}

/// How a piece of text looks on a terminal.
#[derive(Clone, Copy, Debug)]
enum Style {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Magenta => "35",
            Self::Cyan => "36",
        }
    }
}

/// What the tale looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object per line.
    Json,
    /// Text for a file or a pipe.
    Plain,
    /// Text for somebody who watches: at a reader's pace, and with a sign of life while it waits.
    Terminal {
        /// The terminal's width.
        columns: usize,
        /// Whether it may be coloured.
        colours: Colours,
    },
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// It is.
    On,
    /// `NO_COLOR` is set.
    Off,
}

impl Form {
    /// The form of text that fits what stdout is.
    pub fn of_stdout() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if dumb || !io::stdout().is_terminal() {
            return Self::Plain;
        }
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let size = rustix::termios::tcgetwinsize(io::stdout());
        Self::Terminal {
            columns: size.map_or(*COLUMNS.end(), |size| usize::from(size.ws_col)),
            colours: if unwanted { Colours::Off } else { Colours::On },
        }
    }
}

/// Tells the tale.
pub struct Narrator {
    out: Box<dyn Write + Send>,
    form: Form,
    began: Instant,
    number: u32,
    chapter: &'static str,
}

impl Narrator {
    /// Tells it to `out`.
    pub fn new(out: Box<dyn Write + Send>, form: Form) -> Self {
        Self {
            out,
            form,
            began: Instant::now(),
            number: 0,
            chapter: "introduction",
        }
    }

    /// Begins a chapter.
    pub async fn chapter(&mut self, name: &'static str, title: &str) -> io::Result<()> {
        self.pause(BETWEEN_CHAPTERS).await;
        self.number += 1;
        self.chapter = name;
        let head = format!("{} ── {title} ", self.number);
        let rule = "─".repeat(self.columns().saturating_sub(page::width(&head)));
        let heading = self.styled(Style::Bold, &format!("{head}{rule}"));
        self.text(&format!("\n{heading}\n"))
    }

    /// Explains something to people; programs do not need it.
    pub async fn explain(&mut self, text: &str) -> io::Result<()> {
        let lines = page::wrap(text, self.columns() - 2);
        let lines: String = lines
            .iter()
            .map(|line| format!("  {}\n", self.styled(Style::Dim, line)))
            .collect();
        self.text(&lines)?;
        self.pause(BETWEEN_LINES).await;
        Ok(())
    }

    /// Tells one event: `text` for people; `what` and `facts`, an object, for programs.
    pub async fn tell(
        &mut self,
        who: Actor,
        what: &'static str,
        facts: Value,
        text: impl AsRef<str>,
    ) -> io::Result<()> {
        if self.form == Form::Json {
            return self.event(who, what, facts);
        }
        let time = format!("{:>6.1}s", self.began.elapsed().as_secs_f64());
        let time = self.styled(Style::Dim, &time);
        let actor = self.styled(who.style(), &format!("{:<9}", who.as_str()));
        let mut told = String::new();
        for (at, line) in page::wrap(text.as_ref(), self.room()).iter().enumerate() {
            if at == 0 {
                told.push_str(&format!("{time}   {actor} {line}\n"));
            } else {
                told.push_str(&format!("{:INDENT$}{line}\n", ""));
            }
        }
        self.put(&told)?;
        self.pause(BETWEEN_LINES).await;
        Ok(())
    }

    /// Tells programs one event of which people see a table or a sum.
    pub fn note(&mut self, who: Actor, what: &'static str, facts: Value) -> io::Result<()> {
        match self.form {
            Form::Json => self.event(who, what, facts),
            Form::Plain | Form::Terminal { .. } => Ok(()),
        }
    }

    /// Shows a text in a box, to people.
    pub async fn show_box(&mut self, title: &str, text: &str) -> io::Result<()> {
        self.lines(&page::boxed(title, text, self.room())).await
    }

    /// Shows a table, to people; the first row is its heading.
    pub async fn show_table(&mut self, rows: &[Vec<String>], align: Align) -> io::Result<()> {
        self.lines(&page::table(rows, align)).await
    }

    /// Ends the tale: the sums, and what they mean.
    pub async fn end(&mut self, desk: DeskKind, summary: &Summary) -> io::Result<()> {
        if self.form == Form::Json {
            return self.put(&format!("{}\n", json!({ "summary": summary })));
        }
        self.pause(BETWEEN_CHAPTERS).await;
        let columns = self.columns();
        let rule = self.styled(Style::Bold, &"─".repeat(columns));
        let row =
            |name: &str, expected: String, there: String| vec![name.to_owned(), expected, there];
        let counted = |name: &str, expected: usize, there: usize| {
            row(name, expected.to_string(), there.to_string())
        };
        let (conversation, opening) = match desk {
            DeskKind::Salesforce | DeskKind::Zendesk => (
                "conversations, one per escalation",
                "opening messages, one per conversation",
            ),
            DeskKind::Dynamics => (
                "live work items, one per escalation",
                "opening notes, one per work item",
            ),
        };
        let (reply, message) = match desk.stays_live() {
            true => (
                "replies that reached their channel",
                "messages and photos that reached a rep",
            ),
            false => (
                "replies: none come back from there",
                "messages after the handover: none are taken there",
            ),
        };
        let conversations = counted(conversation, summary.escalations, summary.conversations);
        let openings = counted(opening, summary.escalations, summary.opening_messages);
        let replies = counted(reply, summary.written, summary.replies);
        let delivered = counted(message, summary.sent, summary.delivered);
        let heading = row("", "expected".to_owned(), "there".to_owned());
        let rows = [heading, conversations, openings, replies, delivered];
        let table = page::table(&rows, Align::Right);
        let table: String = table.iter().map(|line| format!("  {line}\n")).collect();
        let problems = summary.problems();
        let verdict = if problems.is_empty() {
            self.styled(Style::Green, "Lost: 0. Doubled: 0. Out of order: 0.")
        } else {
            self.styled(Style::Red, &format!("Not well: {}.", problems.join(", ")))
        };
        self.text(&format!(
            "\n{rule}\n{table}\n  {verdict}\n\n  {}\n",
            next(desk)
        ))
    }

    /// Waits, at most for `limit`, and shows that it does; `what` completes "waiting for …".
    pub async fn wait<T>(
        &mut self,
        what: &str,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        let mut work = pin!(work);
        let mut shown = 0;
        loop {
            tokio::select! {
                done = &mut work => {
                    self.erase()?;
                    return Ok(done);
                }
                () = sleep(FRAME) => {}
            }
            let waited = began.elapsed();
            if waited > limit {
                self.erase()?;
                return Err(anyhow!("waited {} s in vain for {what}", limit.as_secs()));
            }
            if waited >= PATIENCE && matches!(self.form, Form::Terminal { .. }) {
                let frame = FRAMES[shown % FRAMES.len()];
                let text = format!(
                    "{:>7}   {frame} waiting for {what}, {} s",
                    "",
                    waited.as_secs()
                );
                let text = self.styled(Style::Dim, &page::cut(&text, self.columns() - 1));
                self.put(&format!("\r{text}\x1b[K"))?;
                shown += 1;
            }
        }
    }

    /// A moment in which somebody does something slowly, as people do; none if nobody watches.
    pub async fn moment(&mut self, length: Duration) {
        self.pause(length).await;
    }

    /// Takes a picture of a wait away, if there is one.
    pub fn erase(&mut self) -> io::Result<()> {
        match self.form {
            Form::Terminal { .. } => self.put("\r\x1b[K"),
            Form::Json | Form::Plain => Ok(()),
        }
    }

    async fn lines(&mut self, lines: &[String]) -> io::Result<()> {
        let lines: String = lines
            .iter()
            .map(|line| format!("{:INDENT$}{line}\n", ""))
            .collect();
        self.text(&lines)?;
        self.pause(BETWEEN_CHAPTERS).await;
        Ok(())
    }

    async fn pause(&self, length: Duration) {
        if matches!(self.form, Form::Terminal { .. }) {
            sleep(length).await;
        }
    }

    fn event(&mut self, who: Actor, what: &'static str, facts: Value) -> io::Result<()> {
        let mut event = Map::new();
        event.insert("at".to_owned(), json!(Clock::System.now().to_string()));
        event.insert("chapter".to_owned(), json!(self.chapter));
        event.insert("who".to_owned(), json!(who.as_str()));
        event.insert("what".to_owned(), json!(what));
        if let Value::Object(facts) = facts {
            event.extend(facts);
        }
        self.put(&format!("{}\n", Value::Object(event)))
    }

    /// Text for people only.
    fn text(&mut self, text: &str) -> io::Result<()> {
        match self.form {
            Form::Json => Ok(()),
            Form::Plain | Form::Terminal { .. } => self.put(text),
        }
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn columns(&self) -> usize {
        match self.form {
            Form::Terminal { columns, .. } => columns.clamp(*COLUMNS.start(), *COLUMNS.end()),
            Form::Json | Form::Plain => *COLUMNS.end(),
        }
    }

    /// Columns beside time and actor.
    fn room(&self) -> usize {
        self.columns() - INDENT
    }

    fn styled(&self, style: Style, text: &str) -> String {
        match self.form {
            Form::Terminal {
                colours: Colours::On,
                ..
            } => format!("\x1b[{}m{text}\x1b[0m", style.code()),
            Form::Json | Form::Plain | Form::Terminal { .. } => text.to_owned(),
        }
    }
}
