/**
 * Nested cells of a CSV: lists and objects in JSON or in Python's literal notation, or a mixture (UDL-29, UDL-31).
 *
 * Python writes `[{'obValue': None, 'flag': True}]`, JSON `[{"obValue":null,"flag":true}]`; both mean the same here.
 * Numbers are read by `Number`, so that every value is the exact double; NaN and the infinities become null.
 */

export type Literal = null | boolean | number | string | Literal[] | { [key: string]: Literal };

const WORDS: ReadonlyMap<string, Literal> = new Map<string, Literal>([
  ['null', null],
  ['None', null],
  ['NaN', null],
  ['nan', null],
  ['Infinity', null],
  ['inf', null],
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
]);

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
  ['a', '\u0007'],
  ['0', '\0'],
]);

/** Digits after `\x`, `\u` and `\U`. */
const ESCAPE_DIGITS: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

const TOKEN = /[A-Za-z]+|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-](?:Infinity|inf)/y;
const PLAIN = { "'": /[^'\\]*/y, '"': /[^"\\]*/y } as const;
const SPACE = /\s*/y;

/** A cell that nests deeper is refused: nothing the source sends does, and the reader must not run out of stack. */
const MAX_DEPTH = 64;

/**
 * Reads one value.
 *
 * @throws SyntaxError naming the position when `text` is neither notation
 */
export function parseLiteral(text: string): Literal {
  return new LiteralParser(text).parse();
}

class LiteralParser {
  readonly #text: string;
  #position = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Literal {
    const value = this.#value();
    this.#skipSpace();
    if (this.#position < this.#text.length) throw this.#unexpected('the end');
    return value;
  }

  #value(): Literal {
    this.#skipSpace();
    const next = this.#text[this.#position];
    if (next === '[') return this.#list(']');
    if (next === '(') return this.#list(')');
    if (next === '{') return this.#object();
    if (next === '"' || next === "'") return this.#string(next);
    return this.#scalar();
  }

  #list(close: string): Literal[] {
    const items: Literal[] = [];
    this.#items(close, () => items.push(this.#value()));
    return items;
  }

  #object(): Literal {
    const entries: [string, Literal][] = [];
    this.#items('}', () => {
      this.#skipSpace();
      const quote = this.#text[this.#position];
      if (quote !== '"' && quote !== "'") throw this.#unexpected('a quoted key');
      const key = this.#string(quote);
      this.#skipSpace();
      if (this.#text[this.#position] !== ':') throw this.#unexpected('":"');
      this.#position++;
      entries.push([key, this.#value()]);
    });
    // Not by assignment: a key `__proto__` must stay an ordinary key.
    return Object.fromEntries(entries);
  }

  /** Reads items up to `close`; a comma before `close` is allowed, as in Python. */
  #items(close: string, readItem: () => void): void {
    if (++this.#depth > MAX_DEPTH) throw this.#unexpected(`at most ${MAX_DEPTH} levels`);
    this.#position++;
    for (;;) {
      this.#skipSpace();
      if (this.#text[this.#position] === close) break;
      readItem();
      this.#skipSpace();
      if (this.#text[this.#position] === ',') this.#position++;
      else if (this.#text[this.#position] !== close) throw this.#unexpected(`"," or "${close}"`);
    }
    this.#position++;
    this.#depth--;
  }

  #string(quote: '"' | "'"): string {
    this.#position++;
    let value = '';
    for (;;) {
      value += this.#match(PLAIN[quote]);
      const end = this.#text[this.#position];
      if (end === undefined) throw this.#unexpected(`closing ${quote}`);
      this.#position++;
      if (end === quote) return value;
      value += this.#escape();
    }
  }

  #escape(): string {
    const letter = this.#text[this.#position++];
    if (letter === undefined) throw this.#unexpected('a character after "\\"');
    const digits = ESCAPE_DIGITS.get(letter);
    if (digits === undefined) return ESCAPES.get(letter) ?? letter;
    const code = this.#text.slice(this.#position, this.#position + digits);
    if (code.length < digits || !/^[0-9a-fA-F]+$/.test(code) || Number.parseInt(code, 16) > 0x10ffff) {
      throw this.#unexpected(`${digits} hexadecimal digits`);
    }
    this.#position += digits;
    return String.fromCodePoint(Number.parseInt(code, 16));
  }

  #scalar(): Literal {
    const token = this.#match(TOKEN);
    if (token === '') throw this.#unexpected('a value');
    const word = WORDS.get(token.replace(/^[+-](?=[Ii])/, ''));
    if (word !== undefined) return word;
    const number = Number(token);
    if (Number.isNaN(number)) throw this.#unexpected('a value', token);
    return number;
  }

  #skipSpace(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#text)?.[0] ?? '';
    this.#position += match.length;
    return match;
  }

  #unexpected(expected: string, got = this.#text.slice(this.#position, this.#position + 20) || 'the end'): SyntaxError {
    return new SyntaxError(`expected ${expected} at character ${this.#position + 1}, got "${got}"`);
  }
}
