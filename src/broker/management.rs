//! RabbitMQ's management interface, for what AMQP cannot show: bindings and alarms.

use std::time::Duration;

use lapin::uri::AMQPUri;
use reqwest::{Client, Url};
use secrecy::SecretString;
use serde_json::Value;

use super::link;

/// For one answer; a management interface that collects statistics may be slow.
const PATIENCE: Duration = Duration::from_secs(10);

/// A broker's management interface, asked as the user that we are over AMQP.
#[derive(Debug)]
pub struct Management {
    http: Client,
    url: Url,
    login: AMQPUri,
}

/// Why it does not tell.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// One of the two addresses is none.
    #[error("`broker.management_url` or `broker.url` is no address")]
    Address,
    /// Nobody answers.
    #[error(
        "nobody answers there ({0}); check `broker.management_url`, and that the plugin rabbitmq_management is on"
    )]
    Unreachable(String),
    /// It does not take our user.
    #[error("it answers {0}; give the user of `broker.url` the tag `management`")]
    Refused(u16),
    /// It is something else.
    #[error("it does not answer as RabbitMQ does; check `broker.management_url`")]
    Strange,
}

impl Management {
    /// The interface at `url` of the broker at `broker`.
    pub fn new(url: &str, broker: &SecretString) -> Result<Self, NotTold> {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build();
        Ok(Self {
            http: http.map_err(|_| NotTold::Address)?,
            url: Url::parse(url).map_err(|_| NotTold::Address)?,
            login: link::parse(broker).map_err(|_| NotTold::Address)?,
        })
    }

    /// The bindings of our virtual host: exchange, routing key, queue.
    pub async fn bindings(&self) -> Result<Vec<[String; 3]>, NotTold> {
        let told = self.ask(&["bindings", &self.login.vhost]).await?;
        let all = told.as_array().ok_or(NotTold::Strange)?;
        let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let parts =
            |it: &Value| ["source", "routing_key", "destination"].map(|name| text(it, name));
        Ok(all.iter().map(parts).collect())
    }

    /// The alarms that make a broker stop taking messages, each with its node.
    pub async fn alarms(&self) -> Result<Vec<String>, NotTold> {
        let told = self.ask(&["health", "checks", "alarms"]).await?;
        if told["status"] == "ok" {
            return Ok(vec![]);
        }
        let alarms = told["alarms"].as_array().ok_or(NotTold::Strange)?;
        let text = |it: &Value, name: &str| it[name].as_str().unwrap_or("something").to_owned();
        let each = |it: &Value| format!("{} on {}", text(it, "resource"), text(it, "node"));
        Ok(alarms.iter().map(each).collect())
    }

    async fn ask(&self, path: &[&str]) -> Result<Value, NotTold> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(path);
        }
        let user = &self.login.authority.userinfo;
        let request = self
            .http
            .get(url)
            .basic_auth(&user.username, Some(&user.password));
        let answer = request.send().await;
        let answer =
            answer.map_err(|error| NotTold::Unreachable(error.without_url().to_string()))?;
        match answer.status().as_u16() {
            // A check that failed is told with 503.
            200 | 503 => answer.json().await.map_err(|_| NotTold::Strange),
            status @ (401 | 403) => Err(NotTold::Refused(status)),
            _ => Err(NotTold::Strange),
        }
    }
}

/// User and virtual host of a broker's URL, for commands that an operator types.
pub fn login(url: &SecretString) -> Option<(String, String)> {
    let uri = link::parse(url).ok()?;
    Some((uri.authority.userinfo.username, uri.vhost))
}
