//! What `baton doctor` looks at in the broker: the way in, exchanges and queues, and with the management interface also
//! bindings and alarms.

use super::Findings;
use crate::broker::management::{self, Management};
use crate::broker::topology::{Problem, Topology};
use crate::broker::{Error, Refused};
use crate::config::Config;
use crate::domain::finding::Finding;

const DECLARE: &str = "baton topology declare";

/// Adds what was found.
pub async fn examine(config: &Config, findings: &mut Findings) {
    let topology = Topology::new(&config.broker.prefix);
    let (user, vhost) = management::login(&config.broker.url).unwrap_or_default();
    match topology.compare(&config.broker.url).await {
        Err(error) => return findings.add("broker", &[no_way_in(&error, &user, &vhost)]),
        Ok(problems) => {
            let says = format!("takes the user {user} to the virtual host {vhost}");
            findings.add("broker", &[Finding::good("login", says)]);
            let wrong = problems.iter().map(|it| problem(it, config, &user, &vhost));
            let found: Vec<Finding> = match problems.is_empty() {
                true => vec![Finding::good(
                    "exchanges and queues",
                    "all there, as Baton needs them",
                )],
                false => wrong.collect(),
            };
            findings.add("topology", &found);
        }
    }
    let Some(url) = &config.broker.management_url else {
        let says = "AMQP does not show bindings and alarms; set `broker.management_url`, or declare them again, which does no harm";
        let unsure = Finding::unsure("bindings", says).fixed_by(DECLARE);
        return findings.add("topology", &[unsure]);
    };
    let told = async {
        let management = Management::new(url, &config.broker.url)?;
        Ok::<_, management::NotTold>((management.bindings().await?, management.alarms().await?))
    };
    match told.await {
        Err(error) => {
            let says = format!("`broker.management_url` {url}: {error}");
            findings.add("broker", &[Finding::wrong("management", says)]);
        }
        Ok((there, alarms)) => {
            findings.add("topology", &bindings(&topology, &there, &vhost));
            let alarm = match alarms.is_empty() {
                true => Finding::good("alarms", "none"),
                false => Finding::wrong(
                    "alarms",
                    format!("the broker takes no messages, for want of {}; free some, or raise its limits", alarms.join(" and ")),
                )
                .fixed_by("rabbitmq-diagnostics alarms"),
            };
            findings.add("broker", &[alarm]);
        }
    }
}

fn no_way_in(error: &Error, user: &str, vhost: &str) -> Finding {
    let wrong = Finding::wrong("login", error.to_string());
    match error.refused() {
        Some(Refused::Login) => Finding::wrong(
            "login",
            format!("the broker does not take the user {user} with this password ({error})"),
        )
        .fixed_by(format!("rabbitmqctl change_password {user}")),
        Some(Refused::NoVirtualHost) => Finding::wrong(
            "virtual host",
            format!(
                "the broker has no virtual host {vhost}, which `broker.url` names after the slash"
            ),
        )
        .fixed_by(format!("rabbitmqctl add_vhost {vhost}")),
        Some(Refused::VirtualHost) => Finding::wrong(
            "virtual host",
            format!("the user {user} may not use the virtual host {vhost} of `broker.url`"),
        )
        .fixed_by(permit(user, vhost, "handoff")),
        None => wrong,
    }
}

fn permit(user: &str, vhost: &str, prefix: &str) -> String {
    let all = format!("'^{prefix}\\.'");
    format!("rabbitmqctl set_permissions -p {vhost} {user} {all} {all} {all}")
}

fn problem(problem: &Problem, config: &Config, user: &str, vhost: &str) -> Finding {
    let says = problem.to_string();
    match problem {
        Problem::Missing { object } => {
            let says = format!("{object} does not exist");
            Finding::wrong("exchanges and queues", says).fixed_by(DECLARE)
        }
        Problem::Differs {
            object,
            argument,
            difference,
        } => {
            let says = format!(
                "{object} differs in {argument}: {difference}; delete it when it is empty and declare it again"
            );
            let fix = match object.split_once(' ') {
                Some(("queue", name)) => format!(
                    "rabbitmqctl delete_queue --vhost {vhost} --if-empty {name} && {DECLARE}"
                ),
                _ => format!("rabbitmqadmin --vhost {vhost} delete {object} && {DECLARE}")
                    .replace("delete exchange ", "delete exchange name="),
            };
            Finding::wrong("exchanges and queues", says).fixed_by(fix)
        }
        // Whoever only checks needs no right to declare, and so cannot compare.
        Problem::Forbidden { object, .. } if !config.broker.declare => {
            let says = format!(
                "{object} is there; whether its arguments are right only a user who may declare can tell"
            );
            Finding::unsure("exchanges and queues", says)
        }
        Problem::Forbidden { .. } => Finding::wrong("exchanges and queues", says).fixed_by(permit(
            user,
            vhost,
            &config.broker.prefix,
        )),
    }
}

fn bindings(topology: &Topology, there: &[[String; 3]], vhost: &str) -> Vec<Finding> {
    let is_there = |wanted: &[&str; 3]| {
        there
            .iter()
            .any(|it| it.each_ref().map(String::as_str) == *wanted)
    };
    let missing: Vec<Finding> = topology
        .bindings()
        .filter(|wanted| !is_there(wanted))
        .map(|[source, routing_key, destination]| {
            let says = format!("nothing binds {destination} to {source} with {routing_key}, so what is published there is not seen");
            let fix = format!("rabbitmqadmin --vhost {vhost} declare binding source={source} routing_key='{routing_key}' destination={destination}");
            Finding::wrong("bindings", says).fixed_by(format!("{DECLARE}, or {fix}"))
        })
        .collect();
    match missing.is_empty() {
        true => vec![Finding::good("bindings", "all there")],
        false => missing,
    }
}
