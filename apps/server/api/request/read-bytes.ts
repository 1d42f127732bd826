/**
 * Collects the bytes of a body with two bounds, on size and on time. Whatever ends it, the rest of the request is let run
 * out without being kept, so that the client gets to read the answer and the connection can be used again.
 */
import type { IncomingMessage } from 'node:http';
import { RequestTimeoutException } from '@nestjs/common';
import { MalformedRequest } from '@app/errors';
import { PayloadTooLarge } from '../problem/api-errors.js';

export interface ByteLimits {
  readonly maxBytes: number;
  /** How long the whole body may take, in ms. */
  readonly deadlineMs: number;
}

/** Whether the request announces a body at all. */
export function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && length !== '0');
}

/** @throws PayloadTooLarge, RequestTimeoutException; MalformedRequest where the client stopped half way, or has gone */
export function readBytes(request: IncomingMessage, limits: ByteLimits): Promise<Buffer> {
  if (request.destroyed) return Promise.reject(brokenOff());
  if (Number(request.headers['content-length'] ?? 0) > limits.maxBytes) {
    request.resume();
    return Promise.reject(new PayloadTooLarge(limits.maxBytes));
  }
  const bytes = bytesAtHand(request);
  return bytes === null ? readAsItComes(request, limits) : Promise.resolve(bytes);
}

/**
 * A small body mostly comes along with its headers, and then needs no deadline and nobody who listens. Null where not all of it is
 * here. That the request is over is told later, so it is the announced length that says so.
 */
function bytesAtHand(request: IncomingMessage): Buffer | null {
  if (request.readableLength === 0 || request.readableLength !== Number(request.headers['content-length'])) return null;
  const bytes = request.read() as Buffer | null;
  // For its end, which lets the connection be used again.
  request.resume();
  return bytes;
}

function readAsItComes(request: IncomingMessage, limits: ByteLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const deadline = setTimeout(() => finish(new RequestTimeoutException()), limits.deadlineMs);

    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > limits.maxBytes) {
        finish(new PayloadTooLarge(limits.maxBytes));
      }
    };
    const onEnd = (): void => finish(null);
    const onBreak = (): void => finish(brokenOff());

    function finish(error: Error | null): void {
      clearTimeout(deadline);
      request.off('data', onData).off('end', onEnd).off('error', onBreak).off('close', onBreak);
      if (error === null) {
        resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size));
      } else {
        request.on('error', () => undefined).resume();
        reject(error);
      }
    }

    request.on('data', onData).on('end', onEnd).on('error', onBreak).on('close', onBreak);
  });
}

function brokenOff(): MalformedRequest {
  return new MalformedRequest('malformed-json', 'The body ended before it was complete.');
}
