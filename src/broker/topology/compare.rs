//! Comparing a broker with the table, without changing anything there.

use lapin::Connection;
use secrecy::SecretString;

use super::{Declare, Object, Problem, Topology};
use crate::broker::error::Error;
use crate::broker::link::{close, dial, hang_up, within};

impl Topology {
    /// Everything in which the exchanges and queues of a broker differ from the table. What is there is then declared as
    /// we need it, which a broker refuses when an argument differs, and which changes nothing when none does.
    /// Bindings cannot be seen over AMQP.
    pub async fn compare(&self, url: &SecretString) -> Result<Vec<Problem>, Error> {
        let connection = dial(url, "baton: doctor").await?;
        let compared = self.compare_on(&connection).await;
        hang_up(&connection).await;
        compared
    }

    async fn compare_on(&self, connection: &Connection) -> Result<Vec<Problem>, Error> {
        let mut problems = vec![];
        let mut channel = within("open a channel", connection.create_channel()).await?;
        for object in &self.objects {
            if let Object::Binding { .. } = object {
                continue;
            }
            let mut looked = object.apply(&channel, Declare::Check).await;
            if looked.is_ok() {
                looked = object.apply(&channel, Declare::Declare).await;
            }
            if let Err(error) = looked {
                problems.push(Problem::read(object, error)?);
                channel = within("open a channel", connection.create_channel()).await?;
            }
        }
        close(&channel).await;
        Ok(problems)
    }

    /// The bindings of the table: exchange, routing key, queue.
    pub fn bindings(&self) -> impl Iterator<Item = [&str; 3]> {
        self.objects.iter().filter_map(|object| match object {
            Object::Binding {
                exchange,
                queue,
                routing_key,
            } => Some([exchange.as_str(), routing_key.as_str(), queue.as_str()]),
            Object::Exchange { .. } | Object::Queue { .. } => None,
        })
    }
}
