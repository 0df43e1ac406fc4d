//! Copies of the database: taken while a worker is at work, looked through, and put back.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::broker::bench::soon;
use crate::world::{Setup, World};

const SESSIONS: usize = 60;

/// The binary, in the folder of a world.
async fn baton(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command
        .args(["--config", "baton.toml"])
        .args(line.split_whitespace())
        .current_dir(folder);
    tokio::task::spawn_blocking(move || command.output().expect("the binary"))
        .await
        .expect("an end")
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn said(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone()).expect("text")
}

async fn handoffs(folder: &Path, file: &str) -> u64 {
    let checked = baton(folder, &format!("store check {file} --json")).await;
    let checked: Value = serde_json::from_str(&done(&checked)).expect("JSON");
    assert_eq!(checked["sound"], true, "{checked}");
    checked["handoffs"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_under_load_restores_to_a_sound_state_and_nothing_is_doubled_or_lost() {
    // Copies take what the machine has; a desk that is slow meanwhile is no failure.
    let setup = Setup::shared().await.with("desk", "timeout = \"10s\"");
    let mut world = World::new(setup.with("desk", "connect_timeout = \"5s\"")).await;
    world.start().await;
    let folder = world.folder.path().to_owned();
    let events: Vec<Value> = (0..SESSIONS)
        .map(|n| world.escalation(&format!("s{n}"), "web"))
        .collect();
    let load = async {
        for some in events.chunks(8) {
            world.publish_all(some).await;
        }
    };
    let copies = async {
        for n in 0..5 {
            done(&baton(&folder, &format!("store backup copy{n}.db")).await);
        }
    };
    tokio::join!(load, copies);
    world.heard.until_counted("lifecycle.live", SESSIONS).await;
    let mut counts = vec![];
    for n in 0..5 {
        counts.push(handoffs(&folder, &format!("copy{n}.db")).await);
    }
    assert!(
        counts.is_sorted() && counts[4] <= SESSIONS as u64,
        "{counts:?}"
    );
    assert_eq!(handoffs(&folder, "").await, SESSIONS as u64);

    let again = said(&baton(&folder, "store backup copy0.db").await);
    assert!(
        again.contains("copy0.db: there is such a file already"),
        "{again}"
    );
    let running = said(&baton(&folder, "store restore copy2.db --yes").await);
    assert!(
        running.contains("another baton process has it open"),
        "{running}"
    );
    world.kill().await;
    let asked = said(&baton(&folder, "store restore copy2.db").await);
    let count = counts[2];
    assert!(
        asked.contains(&format!(
            "this puts a backup with {count} handoffs in the place of"
        )) && asked.contains("add --yes"),
        "{asked}"
    );
    let restored = baton(&folder, "store restore copy2.db --yes").await;
    assert!(
        done(&restored).contains(&format!("sound; schema 1, {count} handoffs")),
        "{restored:?}"
    );
    let aside = String::from_utf8_lossy(&restored.stderr).into_owned();
    assert!(aside.contains("baton.db.before-"), "{aside}");
    assert_eq!(handoffs(&folder, "").await, count);

    // What came after the backup is published again, as its keeper would; all the rest is known already.
    world.start().await;
    world.publish_all(&events).await;
    soon(async {
        while world
            .api(reqwest::Method::GET, "handoffs?status=live&limit=1000")
            .await
            .1
            .as_array()
            .map(Vec::len)
            != Some(SESSIONS)
        {
            sleep(Duration::from_millis(50)).await; // waits for: every handoff to be live again
        }
    })
    .await;
    assert_eq!(world.org.conversations().len(), SESSIONS);
    for conversation in world.org.conversations() {
        assert_eq!(
            world.org.messages(&conversation.id).len(),
            1,
            "{}",
            conversation.id
        );
    }
    world.stop().await;
    assert_eq!(handoffs(&folder, "").await, SESSIONS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_foreign_copy_is_found_and_never_restored() {
    let world = World::new(Setup::shared().await).await;
    let folder = world.folder.path().to_owned();
    done(&baton(&folder, "store backup copy.db").await);
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        folder
            .join(name)
            .metadata()
            .expect("a file")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("copy.db"), 0o600);
    assert!(!folder.join("copy.db.part").exists());

    // A handoff whose delivery is not there.
    let write = |name: &str, what: &str| {
        std::fs::copy(folder.join("copy.db"), folder.join(name)).expect("a copy");
        let sql = rusqlite::Connection::open(folder.join(name)).expect("a database");
        sql.execute_batch(&format!("PRAGMA foreign_keys = OFF; {what}"))
            .expect("written");
    };
    write(
        "torn.db",
        "INSERT INTO attempt (handoff, generation, step, number, started_ms, worker) VALUES (77, 1, 'x', 1, 0, 'w');",
    );
    write("newer.db", "PRAGMA user_version = 99;");
    let mut bytes = std::fs::read(folder.join("copy.db")).expect("bytes");
    bytes[4096..8192].fill(0xAB);
    std::fs::write(folder.join("rotten.db"), bytes).expect("a file");
    let torn = baton(&folder, "store check torn.db").await;
    assert_eq!(
        String::from_utf8_lossy(&torn.stdout),
        "1 references lead nowhere\n"
    );
    assert!(
        said(&torn).contains("torn.db is damaged: 1 problems"),
        "{torn:?}"
    );
    for (file, why) in [
        ("torn.db", "references lead nowhere"),
        ("newer.db", "a newer release wrote it"),
        ("nowhere.db", "there is no backup nowhere.db"),
        ("rotten.db", "rotten.db: it is damaged"),
    ] {
        let refused = said(&baton(&folder, &format!("store restore {file} --yes")).await);
        assert!(refused.contains(why), "{why} in {refused}");
    }
    let key = baton::domain::seal::MasterKey::generate();
    std::fs::write(folder.join("baton.key"), key).expect("a file");
    let refused = said(&baton(&folder, "store restore copy.db --yes").await);
    assert!(refused.contains("another master key"), "{refused}");
}
