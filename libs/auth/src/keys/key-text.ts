/**
 * What an API key looks like: `trx_ID_SECRET_CHECKSUM`, all in base62. The prefix and the checksum let scanners recognise a key that
 * has leaked, the log hide it, and a typing mistake be refused without asking anybody. The id says which row to look at and
 * is no secret; the secret is 256 random bits. Every part has a fixed width, so that one key has one text.
 */
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = BigInt(ALPHABET.length);
const DIGIT = new Map(Array.from(ALPHABET).map((letter, value) => [letter, BigInt(value)]));

const PREFIX = 'trx_';
/** Enough digits for 128, 256 and 32 bits. */
const WIDTH = { id: 22, secret: 43, checksum: 6 } as const;
const ID_BYTES = 16;
const FORM = new RegExp(`^(${PREFIX}([0-9A-Za-z]{${WIDTH.id}})_[0-9A-Za-z]{${WIDTH.secret}})_([0-9A-Za-z]{${WIDTH.checksum}})$`);

export interface KeyText {
  /** 16 bytes: the id of its row. */
  readonly id: Buffer;
  /** Everything but the checksum: what is hashed, so that a hash is good for one id only. */
  readonly proof: string;
}

/** Whether a credential claims to be an API key, well-formed or not. */
export function looksLikeKey(credential: string): boolean {
  return credential.startsWith(PREFIX);
}

/** The first part of a key, which names it and proves nothing. `id`: 16 bytes. */
export function keyPrefix(id: Buffer): string {
  return PREFIX + digits(id, WIDTH.id);
}

/** `id`: 16 bytes; `secret`: 32 random bytes. */
export function writeKey(id: Buffer, secret: Buffer): { readonly text: string; readonly proof: string } {
  const proof = `${keyPrefix(id)}_${digits(secret, WIDTH.secret)}`;
  return { text: `${proof}_${checksumOf(proof)}`, proof };
}

/** Null where it is no key, or not the one that was made: a letter is wrong, missing or in another place. */
export function readKey(credential: string): KeyText | null {
  const [, proof = '', id = '', checksum] = FORM.exec(credential) ?? [];
  if (checksum === undefined || checksumOf(proof) !== checksum) {
    return null;
  }
  const bytes = bytesOf(id);
  return bytes === null ? null : { id: bytes, proof };
}

function checksumOf(proof: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(proof));
  return digits(bytes, WIDTH.checksum);
}

function digits(bytes: Buffer, width: number): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (let place = 0; place < width; place += 1) {
    text = `${ALPHABET[Number(rest % BASE)] ?? ''}${text}`;
    rest /= BASE;
  }
  return text;
}

function bytesOf(text: string): Buffer | null {
  const number = Array.from(text).reduce((sum, letter) => sum * BASE + (DIGIT.get(letter) ?? 0n), 0n);
  const hex = number.toString(16).padStart(ID_BYTES * 2, '0');
  return hex.length > ID_BYTES * 2 ? null : Buffer.from(hex, 'hex');
}
