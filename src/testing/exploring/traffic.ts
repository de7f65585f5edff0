/** A message of PostgreSQL's protocol begins with its type and a length that counts itself. */
const headerBytes = 5;
const lengthBytes = 4;

const lengthOf = (header: Buffer): number => header.readUInt32BE(1) - lengthBytes;

/** What comes from the server, in messages, however the network has cut it. */
class Received {
  readonly #header = Buffer.alloc(headerBytes);
  #headerRead = 0;
  #bodyLeft = 0;

  /** In the middle of a message. */
  get cut(): boolean {
    return this.#headerRead > 0;
  }

  /** @param onMessage is told the type of each message that ends here, and its last byte */
  read(chunk: Buffer, onMessage: (type: string, last: number) => void): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#bodyLeft === 0) {
        const taken = chunk.copy(this.#header, this.#headerRead, at, at + headerBytes - this.#headerRead);
        at += taken;
        this.#headerRead += taken;
        if (this.#headerRead < headerBytes) return;
        this.#bodyLeft = lengthOf(this.#header);
      }
      const taken = Math.min(this.#bodyLeft, chunk.length - at);
      at += taken;
      this.#bodyLeft -= taken;
      if (this.#bodyLeft > 0) return;
      this.#headerRead = 0;
      onMessage(String.fromCharCode(this.#header[0] as number), chunk[at - 1] as number);
    }
  }
}

/** "Close", of a prepared statement. */
const forget = (statement: string): Buffer => {
  const body = Buffer.from(`S${statement}\0`);
  const header = Buffer.from('C\0\0\0\0');
  header.writeUInt32BE(body.length + lengthBytes, 1);
  return Buffer.concat([header, body]);
};
/** In a statement: prepared ones may be gone after it. */
const unprepares = /\b(deallocate|discard)\b/i;
/** "Parse", of nothing: it is answered as every other one. */
const parseNothing = Buffer.from('P\0\0\0\x08\0\0\0\0');

/** What is said on one connection, as far as it tells whether the server is at work, and which statements it has prepared. */
export class Traffic {
  readonly #received = new Received();
  /** Prepared statements, as they were sent, by name. */
  readonly #prepared = new Map<string, string>();
  /** Sent and not confirmed yet; null: not to be remembered. */
  #preparing: (readonly [name: string, parse: string] | null)[] = [];
  #unanswered = 0;
  #unsynced = false;
  #inTransaction = false;

  /** The server has something to do or to say, or has heard the half of it. */
  get busy(): boolean {
    return this.#unanswered > 0 || this.#unsynced || this.#received.cut;
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  /** What is to be sent for a client's messages: a statement that the server has prepared already is not prepared again. */
  send(messages: Buffer): readonly Buffer[] {
    const sent: Buffer[] = [];
    for (let at = 0; at < messages.length; ) {
      const length = headerBytes + lengthOf(messages.subarray(at));
      const message = messages.subarray(at, at + length);
      at += length;
      const type = String.fromCharCode(message[0] as number);
      // A query, or the Sync behind the parts of one.
      const ends = type === 'Q' || type === 'S';
      if (ends) this.#unanswered += 1;
      this.#unsynced = !ends;
      if ((type === 'P' || type === 'Q') && unprepares.test(message.toString('latin1')))
        this.#prepared.clear();
      if (type === 'P') sent.push(...this.#prepare(message));
      else sent.push(message);
    }
    return sent;
  }

  receive(chunk: Buffer): void {
    this.#received.read(chunk, (type, last) => {
      if (type === '1') {
        const prepared = this.#preparing.shift() ?? null;
        if (prepared !== null) this.#prepared.set(...prepared);
      } else if (type === 'Z') {
        this.#unanswered -= 1;
        this.#inTransaction = String.fromCharCode(last) !== 'I';
        // What was refused is not confirmed.
        if (this.#unanswered === 0) this.#preparing = [];
      }
    });
  }

  #prepare(message: Buffer): readonly Buffer[] {
    const name = message.toString('utf8', headerBytes, message.indexOf(0, headerBytes));
    const parse = message.toString('latin1');
    const known = name === '' ? undefined : this.#prepared.get(name);
    this.#preparing.push(name === '' || known === parse ? null : [name, parse]);
    if (name === '') return [message];
    // There may be another one of this name; if not, forgetting it does no harm.
    return known === parse ? [parseNothing] : [forget(name), message];
  }
}
