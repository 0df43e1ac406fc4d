// Sends the replies of one channel through a provider's HTTP API: each once, in order, and says what became of it.
//
// Needs Node 18 and amqplib 0.10 or later. Settings come from the environment; see README.md beside this file.

import { fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import amqp from "amqplib";

const {
  AMQP_URL = "amqp://guest:guest@127.0.0.1:5672/%2f",
  QUEUE = "handoff.replies.sms",
  INBOUND = "handoff.inbound",
  PROVIDER_URL,
  LEDGER = "sent.jsonl",
} = process.env;
const PROVIDER_TIMEOUT_MS = 10_000;
const WAIT_MAX_MS = 30_000;

/** What became of each reply, on disk. In production this is a table with the reply's id as its key. */
class Ledger {
  constructor(path) {
    this.file = openSync(path, "a+");
    const bytes = readFileSync(path);
    // A line that a crash cut short was not acknowledged, so its reply comes again.
    const whole = bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
    ftruncateSync(this.file, whole.length);
    const outcomes = whole.toString().split("\n").slice(0, -1).map((line) => JSON.parse(line));
    this.outcomes = new Map(outcomes.map((outcome) => [outcome.reply_id, outcome]));
  }

  remember(outcome) {
    writeSync(this.file, JSON.stringify(outcome) + "\n");
    fsyncSync(this.file);
    this.outcomes.set(outcome.reply_id, outcome);
  }
}

/** Calls the provider once. Gives an outcome, or how long to wait at least where trying again may help. */
async function askProvider({ id, data }) {
  const body = {
    from: data.to.account,
    to: data.to.address,
    text: data.text,
    media: data.attachments.filter((file) => file.url).map((file) => file.url),
  };
  let answer;
  try {
    answer = await fetch(PROVIDER_URL, {
      method: "POST",
      // The provider drops what it has seen: a call whose answer was lost can be made again.
      headers: { "content-type": "application/json", "idempotency-key": id },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PROVIDER_TIMEOUT_MS),
    });
  } catch {
    return { waitMs: 0 };
  }
  const words = await answer.text().catch(() => "");
  if (answer.ok) return { outcome: { status: "delivered" } };
  if ([408, 425, 429].includes(answer.status) || answer.status >= 500) {
    return { waitMs: 1000 * (Number(answer.headers.get("retry-after")) || 0) };
  }
  const reason = words.slice(0, 500).trim() || `the provider says ${answer.status}`;
  return { outcome: { status: "failed", reason } };
}

/** Calls the provider until it has taken or refused the reply. The replies behind it wait: order is kept. */
async function send(reply) {
  for (let wait = 1000; ; wait = Math.min(wait * 2, WAIT_MAX_MS)) {
    const { outcome, waitMs } = await askProvider(reply);
    if (outcome) {
      return { reply_id: reply.id, session: reply.subject, at: new Date().toISOString(), ...outcome };
    }
    console.error(`reply ${reply.id}: the provider has trouble, trying again`);
    await sleep(Math.max(waitMs, wait * (0.5 + Math.random() / 2)));
  }
}

/** Tells Baton, which shows a failure to the rep. The same bytes each time, so a repetition is recognised. */
async function report(channel, { reply_id, session, at, status, reason }) {
  const event = {
    specversion: "1.0",
    type: "handoff.reply.delivery.v1",
    source: "/channels/sender",
    id: `${reply_id}/${status}`,
    time: at,
    subject: session,
    data: { reply_id, status, reason },
  };
  channel.publish(INBOUND, "delivery.status", Buffer.from(JSON.stringify(event)), {
    contentType: "application/cloudevents+json",
    persistent: true,
    messageId: event.id,
    type: event.type,
  });
  await channel.waitForConfirms();
}

async function consume(ledger) {
  const connection = await amqp.connect(AMQP_URL);
  const closed = new Promise((_, fail) => {
    connection.on("error", fail);
    connection.on("close", () => fail(new Error("the connection was closed")));
  });
  closed.catch(() => {});
  const channel = await connection.createConfirmChannel();
  const lost = new Promise((_, fail) => {
    channel.on("error", fail);
    channel.on("close", () => fail(new Error("the channel was closed")));
  });
  // One at a time, and one consumer: a second copy of this program is refused, and stands by.
  await channel.prefetch(1);
  const take = async (message) => {
    if (!message) throw new Error("the queue is gone");
    const reply = JSON.parse(message.content.toString());
    let outcome = ledger.outcomes.get(reply.id);
    if (!outcome) {
      outcome = await send(reply);
      ledger.remember(outcome);
    }
    await report(channel, outcome);
    channel.ack(message);
  };
  const failed = new Promise((_, fail) => {
    channel.consume(QUEUE, (message) => take(message).catch(fail), { exclusive: true }).catch(fail);
  });
  try {
    await Promise.race([closed, lost, failed]);
  } finally {
    await connection.close().catch(() => {});
  }
}

if (!PROVIDER_URL) {
  console.error("PROVIDER_URL is missing; write the address that takes a message by POST");
  process.exit(1);
}
// Stopped at any point, the reply in hand goes back to the queue.
process.on("SIGTERM", () => process.exit(0));
const ledger = new Ledger(LEDGER);
for (;;) {
  await consume(ledger).catch((trouble) => console.error(`the broker: ${trouble.message}; connecting again`));
  await sleep(1000 + 2000 * Math.random());
}
