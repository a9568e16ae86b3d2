/*
 * A backend of the WhatsApp gateway in plain amqplib: it answers whoever writes.
 *
 *     npm ci
 *     AMQP_URL=amqp://user:password@host/vhost node backend.mjs [--declare] [SESSION NUMBER TEXT]
 *
 * With a session, a number and a text it sends that first. Each line that it prints is JSON.
 * It shows what the contract (contracts/README.md) asks of a backend:
 *
 * - a command is published with `mandatory` and a confirm, and again under the same id until it is;
 * - the id of an answer is made from the id of the event that it answers, so an event that comes
 *   twice, also after a crash, is answered once;
 * - an event is acknowledged when it was handled; those of a session come in order, and a repeat is
 *   told by its `sequence`;
 * - a type that it does not know is acknowledged and forgotten.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import amqp from 'amqplib';

const SERVICE = 'example-node';
const PREFIX = process.env.AMQP_PREFIX ?? 'wa';
const BASE = `${PREFIX}.backend.${SERVICE}`;
const WANTED = ['message.received.*', 'message.receipt.*', 'command.*.*', 'session.status.*'];
const PAUSE_MS = 1000;
const CONFIRM_MS = 30_000;

/** Returns a command; who repeats one must keep its id. */
function command(kind, session, data, id = randomUUID()) {
  return {
    specversion: '1.0',
    id,
    source: `/backends/${SERVICE}`,
    type: `wa.${kind}.v1`,
    subject: session,
    time: new Date().toISOString(),
    data,
  };
}

/** Returns the command that answers an incoming text, or null for anything else. */
function answerTo(event) {
  const { type, data, subject, id } = event;
  if (type !== 'wa.message.received.v1' || data.content.kind !== 'text' || data.is_group) return null;
  const reply = {
    to: data.chat,
    content: { kind: 'text', text: `You wrote: ${data.content.text}` },
    reply_to: { message_id: data.message_id },
  };
  return command('message.send', subject, reply, `answer-${id}`);
}

/** Reads events and publishes commands, over one connection after the other. */
class Backend {
  #positions = new Map(); // a real backend keeps these with its own data
  #declares;
  #first;
  #connection;
  #stopping = false;

  constructor({ declares, first }) {
    this.#declares = declares;
    this.#first = first;
  }

  /** Goes on until stopped; a connection that is lost is opened anew. */
  async run(url) {
    while (!this.#stopping) {
      try {
        await this.#connected(url);
      } catch (error) {
        tell({ trouble: error.code ?? error.name });
      }
      if (!this.#stopping) await pause(PAUSE_MS);
    }
  }

  async stop() {
    this.#stopping = true;
    await this.#connection?.close();
  }

  async #connected(url) {
    const connection = await amqp.connect(url);
    this.#connection = connection;
    const lost = new Promise((resolve) => connection.once('close', resolve));
    connection.on('error', () => {}); // 'close' follows
    try {
      if (this.#stopping) return;
      const channel = await connection.createConfirmChannel();
      channel.on('error', () => connection.close().catch(() => {}));
      const returned = returnedBy(channel);
      await channel.prefetch(100);
      const queue = this.#declares ? await declared(channel) : `${BASE}.events`;
      let last = Promise.resolve(); // one event after the other
      await channel.consume(queue, (message) => {
        last = last
          .then(() => this.#handle(message, channel, returned))
          .catch(() => connection.close().catch(() => {})); // not acknowledged: it comes again
      });
      tell({ connected: queue });
      if (this.#first) await publish(channel, returned, this.#first);
      this.#first = null;
      await lost;
      await last;
    } finally {
      await connection.close().catch(() => {});
      this.#connection = undefined;
    }
  }

  /** Handles an event once; what throws leaves it unacknowledged, and so it comes again. */
  async #handle(message, channel, returned) {
    if (message === null) throw new Error('the queue is gone');
    const event = JSON.parse(message.content);
    const position = event.sequence; // digits that sort as text
    if (!position || position > (this.#positions.get(event.subject) ?? '')) {
      tell(summary(event));
      const answer = answerTo(event);
      if (answer) await publish(channel, returned, answer);
      if (position) this.#positions.set(event.subject, position);
    }
    channel.ack(message);
  }
}

/** Returns the ids of what the broker had no queue for; it says so before it confirms. */
function returnedBy(channel) {
  const ids = new Set();
  channel.on('return', (message) => ids.add(message.properties.messageId));
  return ids;
}

/** Publishes a command; throws unless the broker confirms it and has a queue for it. */
async function publish(channel, returned, body) {
  const options = {
    messageId: body.id,
    type: body.type,
    appId: body.source,
    contentType: 'application/cloudevents+json',
    persistent: true,
    mandatory: true,
  };
  const confirmed = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('no confirm in time')), CONFIRM_MS);
    const content = Buffer.from(JSON.stringify(body));
    channel.publish(`${PREFIX}.commands`, body.subject, content, options, (error) => {
      clearTimeout(late);
      if (error) reject(error);
      else resolve();
    });
  });
  await confirmed;
  if (returned.delete(body.id)) throw new Error('the broker has no queue for it');
}

/** Declares and binds the queue of events, which takes more rights than most backends have. */
async function declared(channel) {
  const dead = `${BASE}.dead`;
  const kept = {
    'x-queue-type': 'quorum',
    'x-delivery-limit': 20,
    'x-overflow': 'drop-head',
    'x-max-length': 1_000_000,
    'x-max-length-bytes': 2_147_483_648,
  };
  const own = { 'x-dead-letter-exchange': dead, 'x-single-active-consumer': true };
  await channel.assertExchange(dead, 'fanout', { durable: true });
  await channel.assertQueue(dead, { durable: true, arguments: kept });
  await channel.bindQueue(dead, dead, '');
  await channel.assertQueue(`${BASE}.events`, { durable: true, arguments: { ...kept, ...own } });
  for (const pattern of WANTED) await channel.bindQueue(`${BASE}.events`, `${PREFIX}.events`, pattern);
  return `${BASE}.events`;
}

/** Returns what is printed of an event: no texts and no numbers. */
function summary({ type, subject, correlationid, data }) {
  const state = data.state ?? data.status;
  return { event: type, session: subject, command: correlationid, state, error: data.error?.code };
}

function tell(line) {
  console.log(JSON.stringify(line));
}

const words = process.argv.slice(2);
const declares = words[0] === '--declare';
const [session, number, text, ...more] = declares ? words.slice(1) : words;
if (!process.env.AMQP_URL || more.length || (session !== undefined && text === undefined)) {
  console.error('usage: AMQP_URL=… node backend.mjs [--declare] [SESSION NUMBER TEXT]');
  process.exit(2);
}
const first = session && command('message.send', session, { to: number, content: { kind: 'text', text } });
const backend = new Backend({ declares, first });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => backend.stop());
await backend.run(process.env.AMQP_URL);
