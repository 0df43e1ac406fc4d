// `dynamics-web-api` against the simulated environment: the calls that it shares with the adapter.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { DynamicsWebApi } from "dynamics-web-api";
import { desk, run, step } from "./peer.mjs";

const { url, settings } = desk("dynamics");

/** A token as the app gets it: with its secret, for this environment alone. */
async function token(secret) {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: settings.client_id,
    client_secret: secret,
    scope: `${settings.environment_url}/.default`,
  });
  const answer = await fetch(`${settings.login_url}/${settings.tenant_id}/oauth2/v2.0/token`, {
    method: "POST",
    body: form,
  });
  return answer.json();
}

await run(async () => {
  const { access_token } = await step("a token", async () => {
    const granted = await token(settings.client_secret);
    assert.equal(granted.token_type, "Bearer");
    return granted;
  });
  await step("a wrong secret: AADSTS7000215", async () =>
    assert.deepEqual((await token("another")).error_codes, [7000215]),
  );
  const api = new DynamicsWebApi({
    serverUrl: url,
    dataApi: { version: "9.2" },
    onTokenRefresh: async () => access_token,
  });
  await step("WhoAmI", async () => assert.ok((await api.callFunction({ functionName: "WhoAmI" })).OrganizationId));

  const collection = "msdyn_ocliveworkitems";
  const workstream = settings.default_queue_id;
  const item = (subject) => ({
    subject,
    "msdyn_liveworkstreamid_msdyn_ocliveworkitem@odata.bind": `/msdyn_liveworkstreams(${workstream})`,
  });
  const key = randomUUID();
  const upsert = (subject) => api.upsert({ collection, key, data: item(subject), ifnonematch: "*" });
  await step("upsert with If-None-Match makes the row", () => upsert("first"));
  await step("the same again leaves it as it is", async () => {
    // The client takes 412 for a row that was left alone.
    assert.equal(await upsert("second"), null);
    const row = await api.retrieve({ collection, key, select: ["subject"] });
    assert.equal(row.subject, "first");
  });
  const made = await step("create without an id", () => api.create({ collection, data: item("by POST") }));
  await step("the id comes back", () => assert.match(String(made.activityid ?? made), /^[0-9a-f-]{36}$/));
  await step("update", async () => {
    await api.update({ collection, key, data: { description: "changed" } });
    const row = await api.retrieve({ collection, key, select: ["subject", "description"] });
    assert.deepEqual([row.subject, row.description], ["first", "changed"]);
  });
  await step("update of a row that is not there: 404, 0x80040217", async () => {
    const error = await api.update({ collection, key: randomUUID(), data: { description: "x" } }).catch((it) => it);
    assert.deepEqual([error.status, error.code], [404, "0x80040217"]);
  });
  await step("retrieve many, with a quoted filter", async () => {
    const filter = "emailaddress1 eq 'o''brien@example.com' and statecode eq 0";
    const found = await api.retrieveMultiple({ collection: "contacts", select: ["contactid"], filter, top: 2 });
    assert.deepEqual(found.value, []);
  });
  await step("a note on the row", () =>
    api.upsert({
      collection: "annotations",
      key: randomUUID(),
      ifnonematch: "*",
      data: {
        subject: "Conversation with the AI",
        notetext: "the story",
        "objectid_msdyn_ocliveworkitem@odata.bind": `/${collection}(${key})`,
      },
    }),
  );
  await step("a column that does not exist: 400", async () => {
    const error = await api.create({ collection, data: { subject: "x", nonsense: 1 } }).catch((it) => it);
    assert.equal(error.status, 400);
    assert.match(error.message, /nonsense/);
  });
});
