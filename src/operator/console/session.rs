//! Who has signed in. Sessions live in this process: a restart signs everybody out.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

use crate::domain::clock::{self, Timestamp};
use crate::operator::role::Role;

/// A working day and a bit.
pub const LIFE: Duration = Duration::from_hours(12);
/// More people than ever look at one worker; the one who came first has to sign in again.
const SESSIONS_MAX: usize = 1000;

/// Everybody who has signed in.
#[derive(Default)]
pub struct Sessions(Mutex<BTreeMap<String, Session>>);

/// One who has signed in.
#[derive(Clone)]
pub struct Session {
    /// What they may do.
    pub role: Role,
    /// What their forms carry, and no other page knows.
    pub csrf: String,
    until: Timestamp,
    notice: Option<Notice>,
}

/// What became of the last thing they did; shown once.
#[derive(Clone)]
pub enum Notice {
    /// It was done.
    Done(String),
    /// It was not.
    Failed(String),
}

impl Sessions {
    /// Begins a session; its id goes into a cookie.
    pub fn begin(&self, role: Role, now: Timestamp) -> String {
        let (id, csrf) = (secret(), secret());
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.until > now);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.until);
            let oldest = oldest.map(|(id, _)| id.clone());
            oldest.and_then(|id| sessions.remove(&id));
        }
        let session = Session {
            role,
            csrf,
            until: clock::after(now, LIFE),
            notice: None,
        };
        sessions.insert(id.clone(), session);
        id
    }

    /// The session of an id, while it lasts.
    pub fn get(&self, id: &str, now: Timestamp) -> Option<Session> {
        let session = self.lock().get(id).cloned()?;
        (session.until > now).then_some(session)
    }

    /// Ends a session.
    pub fn end(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Leaves something to be said on the next page.
    pub fn leave(&self, id: &str, notice: Notice) {
        if let Some(session) = self.lock().get_mut(id) {
            session.notice = Some(notice);
        }
    }

    /// What is to be said, once.
    pub fn take_notice(&self, id: &str) -> Option<Notice> {
        self.lock().get_mut(id)?.notice.take()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 32 random bytes, for cookies and forms.
pub fn secret() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random bytes: keys were made of them");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// In a time that does not tell how much of it was right.
pub fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
