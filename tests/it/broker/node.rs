//! The RabbitMQ of our own, and the end of lapin's thread: what must not outlive us, and what we must not outlive.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use baton::broker::node::PrivateNode;
use secrecy::ExposeSecret;

use super::bench::until;

/// Says to a copy of this test binary what it is for.
const ROLE: &str = "BATON_TEST_ROLE";

#[tokio::test]
async fn a_node_dies_with_a_process_that_is_killed() {
    if std::env::var(ROLE).is_ok() {
        let node = PrivateNode::start(|_| ()).await.expect("starts");
        println!(
            "\nnode {} {}",
            node.url().expose_secret(),
            node.folder().display()
        );
        return std::future::pending().await;
    }
    let mut owner = Command::new(std::env::current_exe().expect("ourselves"))
        .args([
            "--exact",
            "broker::node::a_node_dies_with_a_process_that_is_killed",
            "--nocapture",
        ])
        .env(ROLE, "owner of a node")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a copy");
    let output = owner.stdout.take().expect("its output");
    let line = tokio::task::spawn_blocking(move || {
        BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find(|line| line.starts_with("node "))
    });
    let line = line.await.expect("reads").expect("a node");
    let (url, folder) = line["node ".len()..]
        .split_once(' ')
        .expect("url and folder");
    let address = url.rsplit('@').next().expect("an address");
    assert!(TcpStream::connect(address).is_ok() && Path::new(folder).is_dir());

    owner.kill().expect("killed");
    owner.wait().expect("gone");
    until(|| TcpStream::connect(address).is_err() && !Path::new(folder).exists()).await;
}

#[test]
fn a_panic_in_the_thread_of_lapin_ends_the_process() {
    if std::env::var(ROLE).is_ok() {
        baton::broker::install_panic_hook();
        let other = std::thread::Builder::new()
            .spawn(|| panic!("of any other thread"))
            .expect("a thread");
        assert!(other.join().is_err());
        println!("\nstill here");
        let lapin = std::thread::Builder::new().name("lapin-io-loop".to_owned());
        let _ = lapin.spawn(|| panic!("of lapin")).expect("a thread").join();
        println!("\nstill here, wrongly");
        return;
    }
    let output = Command::new(std::env::current_exe().expect("ourselves"))
        .args([
            "--exact",
            "broker::node::a_panic_in_the_thread_of_lapin_ends_the_process",
            "--nocapture",
        ])
        .env(ROLE, "home of a panic")
        .output()
        .expect("a copy");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("still here") && !said.contains("wrongly"),
        "{said}"
    );
    assert_eq!(output.status.signal(), Some(6), "aborted");
}
