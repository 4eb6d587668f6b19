// Drives the emulator with Microsoft's JavaScript SDK. go test starts the emulator and says where it is:
//   PLAIN  connection string for AMQP without TLS
//   TLS    connection string for management and AMQP over WebSocket, with NODE_EXTRA_CA_CERTS set
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ServiceBusAdministrationClient, ServiceBusClient } from "@azure/service-bus";
import WebSocket from "ws";

const { PLAIN, TLS } = process.env;
const admin = new ServiceBusAdministrationClient(TLS);
const client = new ServiceBusClient(PLAIN);
const bodies = (messages) => messages.map((m) => m.body);

before(async () => {
  await admin.createQueue("queue");
  await admin.createQueue("sessions", { requiresSession: true });
  await admin.createTopic("topic");
  await admin.createSubscription("topic", "sub");
});

after(() => client.close());

// take receives exactly n messages.
async function take(receiver, n) {
  const got = [];
  while (got.length < n) {
    const more = await receiver.receiveMessages(n - got.length, { maxWaitTimeInMs: 5000 });
    assert.notEqual(more.length, 0, `only ${got.length} of ${n} messages came`);
    got.push(...more);
  }
  return got;
}

test("send one, many and a batch; receive in peek-lock mode", async () => {
  const sender = client.createSender("queue");
  await sender.sendMessages({ body: "text", applicationProperties: { number: 1, flag: true } });
  await sender.sendMessages([{ body: { json: 1 } }, { body: Buffer.from("bytes") }]);
  const batch = await sender.createMessageBatch();
  assert.equal(batch.maxSizeInBytes, 256 * 1024);
  assert.ok(batch.tryAddMessage({ body: "batched", subject: "label", messageId: "id" }));
  await sender.sendMessages(batch);
  const receiver = client.createReceiver("queue");
  const messages = await take(receiver, 4);
  assert.deepEqual(bodies(messages), ["text", { json: 1 }, Buffer.from("bytes"), "batched"]);
  assert.deepEqual(messages[0].applicationProperties, { number: 1, flag: true });
  assert.deepEqual(messages.map((m) => m.sequenceNumber.toNumber()), [1, 2, 3, 4]);
  assert.equal(messages[3].messageId, "id");
  assert.equal(messages[3].subject, "label");
  assert.equal(messages[0].deliveryCount, 0);
  for (const m of messages) await receiver.completeMessage(m);
  assert.deepEqual(await receiver.receiveMessages(1, { maxWaitTimeInMs: 200 }), [], "the queue is empty, and the drain is answered");
  await receiver.close();
  await sender.close();
});

test("abandon, defer, dead-letter, renew", async () => {
  const sender = client.createSender("queue");
  const receiver = client.createReceiver("queue");
  await sender.sendMessages({ body: "x" });
  let [m] = await take(receiver, 1);
  await receiver.abandonMessage(m, { tried: 1 });
  [m] = await take(receiver, 1);
  assert.equal(m.deliveryCount, 1);
  assert.deepEqual(m.applicationProperties, { tried: 1 });
  const before = m.lockedUntilUtc;
  assert.ok((await receiver.renewMessageLock(m)) >= before);
  await receiver.deferMessage(m);
  [m] = await receiver.receiveDeferredMessages(m.sequenceNumber);
  assert.equal(m.state, "deferred");
  await receiver.deadLetterMessage(m, { deadLetterReason: "why", deadLetterErrorDescription: "because" });
  const dead = client.createReceiver("queue", { subQueueType: "deadLetter", receiveMode: "receiveAndDelete" });
  [m] = await take(dead, 1);
  assert.equal(m.deadLetterReason, "why");
  assert.equal(m.deadLetterErrorDescription, "because");
  await Promise.all([dead.close(), receiver.close(), sender.close()]);
});

test("receive and delete", async () => {
  const sender = client.createSender("queue");
  await sender.sendMessages([{ body: 1 }, { body: 2 }, { body: 3 }]);
  const receiver = client.createReceiver("queue", { receiveMode: "receiveAndDelete" });
  assert.deepEqual(bodies(await take(receiver, 3)), [1, 2, 3]);
  await Promise.all([receiver.close(), sender.close()]);
});

test("subscribe", async () => {
  const sender = client.createSender("topic");
  const receiver = client.createReceiver("topic", "sub");
  const got = [];
  await new Promise((resolve, reject) => {
    receiver.subscribe({
      processMessage: async (m) => {
        got.push(m.body);
        if (got.length === 3) resolve();
      },
      processError: async (args) => reject(args.error),
    });
    sender.sendMessages([{ body: "a" }, { body: "b" }, { body: "c" }]).catch(reject);
  });
  assert.deepEqual(got, ["a", "b", "c"]);
  await Promise.all([receiver.close(), sender.close()]);
});

test("schedule, cancel, peek", async () => {
  const sender = client.createSender("queue");
  const receiver = client.createReceiver("queue", { receiveMode: "receiveAndDelete" });
  const never = await sender.scheduleMessages({ body: "never" }, new Date(Date.now() + 3600e3));
  let peeked = await receiver.peekMessages(10, { fromSequenceNumber: never[0] });
  assert.deepEqual(peeked.map((m) => [m.body, m.state]), [["never", "scheduled"]]);
  await sender.cancelScheduledMessages(never);
  assert.deepEqual(await receiver.peekMessages(10), []);
  await sender.scheduleMessages({ body: "soon" }, new Date(Date.now() + 100));
  assert.deepEqual(bodies(await take(receiver, 1)), ["soon"]);
  await Promise.all([receiver.close(), sender.close()]);
});

test("sessions", async () => {
  const sender = client.createSender("sessions");
  await sender.sendMessages([{ body: "a1", sessionId: "a" }, { body: "b1", sessionId: "b" }, { body: "a2", sessionId: "a" }]);
  const a = await client.acceptSession("sessions", "a");
  const messages = await take(a, 2);
  assert.deepEqual(bodies(messages), ["a1", "a2"]);
  for (const m of messages) await a.completeMessage(m);
  assert.equal(await a.getSessionState(), null);
  await a.setSessionState({ step: 2 });
  assert.deepEqual(await a.getSessionState(), { step: 2 });
  await a.renewSessionLock();
  await assert.rejects(client.acceptSession("sessions", "a"), { code: "SessionCannotBeLocked" });
  const next = await client.acceptNextSession("sessions");
  assert.equal(next.sessionId, "b");
  await Promise.all([a.close(), next.close(), sender.close()]);
});

test("rules over AMQP", async () => {
  const rules = client.createRuleManager("topic", "sub");
  await rules.createRule("sql", { sqlExpression: "n > 1" }, { sqlExpression: "SET seen = TRUE" });
  await rules.createRule("correlation", { subject: "label", applicationProperties: { key: "value" } });
  await rules.deleteRule("$Default");
  const found = await rules.getRules();
  assert.deepEqual(found.map((r) => r.name), ["correlation", "sql"]);
  assert.equal(found[0].filter.subject, "label");
  assert.deepEqual(found[0].filter.applicationProperties, { key: "value" });
  assert.equal(found[1].filter.sqlExpression, "n > 1");
  assert.equal(found[1].action.sqlExpression, "SET seen = TRUE");
  const sender = client.createSender("topic");
  await sender.sendMessages([{ body: "no", applicationProperties: { n: 1 } }, { body: "yes", applicationProperties: { n: 2 } }]);
  const receiver = client.createReceiver("topic", "sub", { receiveMode: "receiveAndDelete" });
  const [m] = await take(receiver, 1);
  assert.equal(m.body, "yes");
  assert.equal(m.applicationProperties.seen, true);
  assert.equal(m.applicationProperties.RuleName, "sql");
  await assert.rejects(rules.deleteRule("nothing"), { code: "MessagingEntityNotFound" });
  await Promise.all([receiver.close(), sender.close()]);
});

test("management", async () => {
  assert.equal((await admin.getNamespaceProperties()).name, "sbemulatorns");
  await admin.createRule("topic", "sub", "added", { sqlExpression: "1 = 1" });
  const names = [];
  for await (const rule of admin.listRules("topic", "sub")) names.push(rule.name);
  assert.ok(names.includes("added"));
  const queue = await admin.getQueue("queue");
  queue.maxDeliveryCount = 7;
  assert.equal((await admin.updateQueue(queue)).maxDeliveryCount, 7);
  assert.equal((await admin.getSubscriptionRuntimeProperties("topic", "sub")).totalMessageCount, 0);
  assert.equal(await admin.queueExists("nothing"), false);
  await assert.rejects(admin.createQueue("queue"), { code: "MessageEntityAlreadyExistsError" });
  await assert.rejects(admin.getQueue("nothing"), { code: "MessageEntityNotFoundError" });
  await admin.deleteRule("topic", "sub", "added");
});

test("what is not there", async () => {
  const receiver = client.createReceiver("nothing");
  await assert.rejects(receiver.receiveMessages(1), { code: "MessagingEntityNotFound" });
});

test("over WebSocket with TLS", async () => {
  const web = new ServiceBusClient(TLS, { webSocketOptions: { webSocket: WebSocket } });
  const sender = web.createSender("queue");
  await sender.sendMessages({ body: "through the web" });
  const receiver = web.createReceiver("queue", { receiveMode: "receiveAndDelete" });
  assert.deepEqual(bodies(await take(receiver, 1)), ["through the web"]);
  await web.close();
});
