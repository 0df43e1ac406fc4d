//! Bindings and alarms, which only the management interface of a real RabbitMQ shows.

use std::net::TcpListener;

use baton::broker::Declare;
use baton::broker::node::PrivateNode;
use baton::broker::topology::Topology;
use secrecy::ExposeSecret;

use super::{Diagnosis, Place};

/// A node with the management interface on; the interface's address.
async fn managed() -> (PrivateNode, String) {
    let mut node = PrivateNode::start(|_| ()).await.expect("a RabbitMQ");
    node.kill().await.expect("stopped");
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr();
    let port = port.expect("an address").port();
    let folder = node.folder();
    std::fs::write(folder.join("enabled_plugins"), "[rabbitmq_management].").expect("a file");
    let conf = folder.join("rabbitmq.conf");
    let text = std::fs::read_to_string(&conf).expect("a file");
    let management = format!("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\n");
    std::fs::write(&conf, text + &management).expect("a file");
    node.restart(|_| ()).await.expect("a RabbitMQ");
    (node, format!("http://127.0.0.1:{port}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_binding_and_an_alarm_are_found_with_the_management_interface() {
    let (node, management) = managed().await;
    let topology = Topology::new("handoff");
    topology
        .apply(&node.url(), Declare::Declare)
        .await
        .expect("declared");
    let mut place = Place::new();
    place.set("BATON__BROKER__URL", node.url().expose_secret());
    place.set("BATON__BROKER__MANAGEMENT_URL", "http://127.0.0.1:1");
    let wrong = Diagnosis::of(&place, "").with("wrong");
    assert!(
        matches!(&wrong[..], [one] if one.contains("`broker.management_url`") && one.contains("rabbitmq_management")),
        "{wrong:#?}"
    );

    place.set("BATON__BROKER__MANAGEMENT_URL", &management);
    let diagnosis = Diagnosis::of(&place, "");
    assert_eq!(diagnosis.with("wrong"), Vec::<String>::new());
    assert!(
        diagnosis
            .with("ok")
            .contains(&"topology, bindings: all there".to_owned())
    );

    let url = node.url();
    let raw = lapin::Connection::connect(url.expose_secret(), Default::default());
    let raw = raw.await.expect("a connection");
    let channel = raw.create_channel().await.expect("a channel");
    let queue = "handoff.contact-events";
    let unbound = channel.queue_unbind(
        queue.into(),
        "handoff.inbound".into(),
        "delivery.#".into(),
        Default::default(),
    );
    unbound.await.expect("unbound");
    let full = node
        .ctl(&["set_vm_memory_high_watermark", "0"])
        .await
        .expect("set");
    assert!(full.status.success(), "{full:?}");
    let wrong = Diagnosis::of(&place, "").with("wrong");
    let binding = "rabbitmqadmin --vhost / declare binding source=handoff.inbound routing_key='delivery.#' destination=handoff.contact-events";
    assert!(
        wrong[0].contains(binding) && wrong[0].contains("baton topology declare"),
        "{wrong:#?}"
    );
    assert!(
        wrong[1].contains("for want of memory on baton@localhost"),
        "{wrong:#?}"
    );

    place.run("topology declare").done();
    let wrong = Diagnosis::of(&place, "").with("wrong");
    assert!(
        matches!(&wrong[..], [one] if one.starts_with("broker, alarms: ")),
        "{wrong:#?}"
    );
    node.stop().await.expect("stopped");
}
