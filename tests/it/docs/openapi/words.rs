//! The words of the document are those of the code.

use baton::domain::channel::Channel;
use baton::domain::connection::DeskKind;
use baton::domain::error::{Class, Code};
use baton::domain::handoff::{Ending, Status, Step};
use baton::store::dead::State;
use serde_json::json;

use super::document::Document;

#[test]
fn every_list_of_words_is_that_of_the_code() {
    let desks: Vec<&str> = DeskKind::ALL.iter().map(|it| it.as_str()).collect();
    let codes: Vec<&str> = Code::ALL.iter().map(|it| it.as_str()).collect();
    let endings: Vec<&str> = Ending::ALL.iter().map(|it| it.as_str()).collect();
    let classes = [Class::Transient, Class::Permanent, Class::Poison];
    let expected = [
        ("Desk", desks),
        ("Code", codes),
        ("Ending", endings),
        ("Class", classes.map(Class::as_str).to_vec()),
        ("Channel", Channel::ALL.map(Channel::as_str).to_vec()),
        ("Step", Step::ALL.map(Step::as_str).to_vec()),
        ("Status", Status::WORDS.to_vec()),
        ("LetterState", State::ALL.map(State::as_str).to_vec()),
    ];
    let document = Document::read();
    for (name, words) in expected {
        let described = &document.0["components"]["schemas"][name]["enum"];
        assert_eq!(*described, json!(words), "{name}");
    }
}
