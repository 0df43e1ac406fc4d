// A public MIAW client against the simulated org: the calls that it shares with the adapter.

import assert from "node:assert/strict";
import { createSign, randomUUID } from "node:crypto";
import { desk, run, step, until } from "./peer.mjs";
import { MessagingInAppWebClient } from "./miaw-client.mjs";

const { url, settings } = desk("salesforce");
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const client = new MessagingInAppWebClient({
  baseUrl: url,
  orgId: settings.org_id,
  developerName: settings.es_developer_name,
  logger: silent,
});

/** Who the contact is, signed with the key of the connection. */
function identity(sub) {
  const part = (it) => Buffer.from(JSON.stringify(it)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const signed = [
    part({ alg: "RS256", typ: "JWT", kid: settings.auth_key_id }),
    part({ iss: settings.issuer, sub, iat: now, exp: now + 300 }),
  ].join(".");
  const signature = createSign("RSA-SHA256").update(signed).sign(settings.auth_private_key, "base64url");
  return `${signed}.${signature}`;
}

await run(async () => {
  await step("a token for a guest", async () => assert.ok((await client.tokens.create()).accessToken));
  const { accessToken, lastEventId } = await step("a token for a verified contact", () =>
    client.tokens.create({ authorizationType: "JWT", customerIdentityToken: identity("peer") }),
  );
  const { id } = await step("create a conversation", () =>
    client.conversations.create(accessToken, { routingAttributes: { OpencxSessionId: "peer", Origin: "MIABOT" } }),
  );
  const heard = [];
  const stream = await step("open the event stream", async () => {
    let open = false;
    const stream = client.events.stream(accessToken, {
      lastEventId: String(lastEventId),
      onOpen: () => (open = true),
      onEvent: (event) => heard.push(event),
    });
    await until("the stream", () => open);
    return stream;
  });
  const message = randomUUID();
  await step("send a message", async () => {
    const entry = await client.conversations.messages.send(accessToken, id, {
      text: "hello?",
      id: message,
      isNewSession: false,
    });
    assert.equal(entry.id, message);
  });
  await step("hear it on the stream", async () => {
    const isIt = (it) => it.event === "CONVERSATION_MESSAGE" && it.data.includes(message);
    await until("the message", () => heard.some(isIt));
  });
  await step("a rep answers, and is heard", async () => {
    for (const order of [{ action: "join" }, { action: "say", text: "Hi, this is Maria." }]) {
      const answer = await fetch(`${url}/_sim/conversations/${id}/rep`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(order),
      });
      assert.ok(answer.ok, await answer.text());
    }
    await until("the answer", () => heard.some((it) => it.data?.includes("this is Maria")));
  });
  await step("the same message again says nothing twice", async () => {
    await client.conversations.messages.send(accessToken, id, { text: "hello?", id: message, isNewSession: false });
    const { entries } = await client.conversations.list(accessToken, id);
    assert.equal(entries.filter((it) => it.id === message).length, 1);
  });
  await step("typing", async () => {
    await client.conversations.typing.start(accessToken, id);
    await client.conversations.typing.stop(accessToken, id);
  });
  await step("receipts", async () => {
    const { conversationEntry } = JSON.parse(heard.find((it) => it.data?.includes("this is Maria")).data);
    const conversationEntryId = conversationEntry.identifier;
    const entries = ["Delivery", "Read"].map((type) => ({ type, conversationEntryId }));
    await client.conversations.receipts.send(accessToken, id, { entries });
  });
  stream.close();
  await step("list the entries", async () => {
    const { entries } = await client.conversations.list(accessToken, id);
    assert.ok(entries.some((it) => it.id === message));
  });
  await step("routing status", async () => assert.ok((await client.conversations.status(accessToken, id)).status));
  await step("a continuation token", async () => assert.ok((await client.tokens.continue(accessToken)).accessToken));
  await step("close the conversation", () => client.conversations.close(accessToken, id));
  await step("a forged identity gets no verified token", async () => {
    const forged = `${identity("peer").split(".").slice(0, 2).join(".")}.AAAA`;
    const went = client.tokens.create({ authorizationType: "JWT", customerIdentityToken: forged });
    await assert.rejects(went);
  });
});
