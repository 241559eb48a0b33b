/** Puts values behind each other: what a text block carries has to be short. */
export class ByteWriter {
  readonly #parts: Uint8Array[] = [];

  byte(value: number): this {
    this.#parts.push(Uint8Array.of(value));
    return this;
  }

  /** Bytes whose number the reader knows. */
  bytes(value: Uint8Array): this {
    this.#parts.push(value);
    return this;
  }

  /** Whole seconds since 1970, until 2106. */
  seconds(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    this.#parts.push(bytes);
    return this;
  }

  /** A text of at most 255 bytes of UTF-8. */
  text(value: string): this {
    const bytes = Buffer.from(value, 'utf8');
    if (bytes.length > 255) throw new RangeError('a text of a text block has 255 bytes at most');
    this.#parts.push(Uint8Array.of(bytes.length), bytes);
    return this;
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads what `ByteWriter` wrote. Every call throws RangeError when the bytes do not suffice. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.bytes(1)[0] ?? 0;
  }

  bytes(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('it is too short');
    const part = this.#bytes.slice(this.#at, end);
    this.#at = end;
    return part;
  }

  seconds(): number {
    return Buffer.from(this.bytes(4)).readUInt32BE();
  }

  text(): string {
    const bytes = this.bytes(this.byte());
    try {
      return utf8.decode(bytes);
    } catch {
      throw new RangeError('a text in it is no UTF-8');
    }
  }

  /** There must be nothing left. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError('there is more in it than belongs there');
  }
}
