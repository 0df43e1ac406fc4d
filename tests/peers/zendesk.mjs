// Zendesk's official client against the simulated account: the calls that it shares with the adapter.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { desk, run, step } from "./peer.mjs";

const client = createRequire(import.meta.url)("sunshine-conversations-client");
const { url, settings } = desk("zendesk");
const app = settings.app_id;
const api = client.ApiClient.instance;
api.basePath = `${url}/sc`;
const key = (secret) => Object.assign(api.authentications.basicAuth, { username: settings.key_id, password: secret });
key(settings.key_secret);

/** The refusal that a call gets, as status and code. */
async function refusal(call) {
  const error = await call.then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );
  const body = error.body ?? error.response?.body ?? JSON.parse(error.response?.text ?? "{}");
  return [error.status, body.errors[0].code];
}

await run(async () => {
  const users = new client.UsersApi();
  const conversations = new client.ConversationsApi();
  const messages = new client.MessagesApi();
  const control = new client.SwitchboardActionsApi();

  const externalId = "opencx:+14155550123";
  const { user } = await step("create a user", () =>
    users.createUser(app, {
      externalId,
      profile: { givenName: "Dana", surname: "Reyes", email: "dana@example.com", locale: "en-US" },
      metadata: { phone: "+14155550123" },
    }),
  );
  await step("create the same user again: 409 conflict", async () =>
    assert.deepEqual(await refusal(users.createUser(app, { externalId })), [409, "conflict"]),
  );
  await step("find the user by external id", async () => {
    const found = await users.getUser(app, externalId);
    assert.equal(found.user.id, user.id);
    assert.equal(found.user.profile.givenName, "Dana");
  });
  await step("update the user", async () => {
    const changed = await users.updateUser(app, user.id, { metadata: { phone: "+14155550123", plan: "Gold" } });
    assert.equal(changed.user.metadata.plan, "Gold");
  });

  const { conversation } = await step("create a conversation", () =>
    conversations.createConversation(app, {
      type: "personal",
      participants: [{ userId: user.id, subscribeSDKClient: false }],
      metadata: { opencx_session_id: "s1", "zen:ticket:tags": "opencx_channel_sms" },
    }),
  );
  await step("get the conversation", async () => {
    const found = await conversations.getConversation(app, conversation.id);
    assert.equal(found.conversation.metadata.opencx_session_id, "s1");
  });
  await step("list the user's conversations", async () => {
    const page = { page: new client.Page() };
    page.page.size = 10;
    const filter = new client.ConversationListFilter();
    filter.userId = user.id;
    const listed = await conversations.listConversations(app, filter, page);
    assert.deepEqual(listed.conversations.map((it) => it.id), [conversation.id]);
  });

  const say = (author, text) =>
    messages.postMessage(app, conversation.id, {
      author,
      content: { type: "text", text },
      metadata: { opencx_message_id: text },
    });
  await step("post a message as the business", async () => {
    const posted = await say({ type: "business", displayName: "AI transcript" }, "the story");
    assert.equal(posted.messages.length, 1);
    assert.equal(posted.messages[0].content.text, "the story");
  });
  await step("post a message as the user", () => say({ type: "user", userId: user.id }, "hello?"));
  await step("a text of 4097 characters: 400", async () =>
    assert.deepEqual(await refusal(say({ type: "business" }, "x".repeat(4097))), [400, "bad_request"]),
  );
  await step("list the messages", async () => {
    const listed = await messages.listMessages(app, conversation.id);
    assert.deepEqual(listed.messages.map((it) => it.content.text), ["the story", "hello?"]);
  });
  await step("post an activity", () =>
    new client.ActivitiesApi().postActivity(app, conversation.id, {
      author: { type: "user", userId: user.id },
      type: "conversation:read",
    }),
  );
  await step("upload a file, and post it", async () => {
    const file = Buffer.from("\x89PNG\r\n\x1a\n and some more", "latin1");
    file.name = "receipt.png";
    const attachments = new client.AttachmentsApi();
    const { attachment } = await attachments.uploadAttachment(app, "public", file, {
      _for: "message",
      conversationId: conversation.id,
    });
    const content = { type: "file", mediaUrl: attachment.mediaUrl, altText: "receipt.png" };
    await messages.postMessage(app, conversation.id, { author: { type: "user", userId: user.id }, content });
  });

  const integrations = await step("list the switchboard's integrations", async () => {
    const { switchboards } = await new client.SwitchboardsApi().listSwitchboards(app);
    const api = new client.SwitchboardIntegrationsApi();
    return (await api.listSwitchboardIntegrations(app, switchboards[0].id)).switchboardIntegrations;
  });
  const workspace = integrations.find((it) => it.integrationType === "zd:agentWorkspace");
  await step("pass control to the workspace", async () => {
    await control.passControl(app, conversation.id, {
      switchboardIntegration: workspace.name,
      metadata: { "dataCapture.systemField.tags": "opencx_channel_sms" },
    });
    const found = await conversations.getConversation(app, conversation.id);
    assert.equal(found.conversation.activeSwitchboardIntegration.name, workspace.name);
  });
  await step("release control", async () => {
    await control.releaseControl(app, conversation.id);
    const found = await conversations.getConversation(app, conversation.id);
    assert.equal(found.conversation.activeSwitchboardIntegration, undefined);
  });

  await step("create an integration with a webhook, and read its secret", async () => {
    const { integration } = await new client.IntegrationsApi().createIntegration(app, {
      type: "custom",
      displayName: "peer",
      webhooks: [{ target: "https://peer.example/hook", triggers: ["conversation:message"] }],
    });
    const { webhooks } = await new client.WebhooksApi().listWebhooks(app, integration.id);
    assert.ok(webhooks[0].secret);
  });
  await step("a wrong secret: 401 unauthorized", async () => {
    key("another");
    assert.deepEqual(await refusal(users.getUser(app, externalId)), [401, "unauthorized"]);
  });
});
