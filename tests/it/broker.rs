//! The broker, against a real RabbitMQ of our own: each trap that was once met has a test here.

pub mod bench;
mod healing;
mod node;
mod poison;
mod publishing;
mod taking;
mod topology;
