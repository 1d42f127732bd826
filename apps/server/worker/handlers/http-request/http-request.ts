/**
 * Sends a request for a task, through the one client that keeps what users name away from the inside of the network. Every attempt
 * of a task sends the same `Idempotency-Key`, so that a receiver which honours it does the work once.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { TaskHandler, type TaskContext } from '@app/handlers';
import { Clock } from '@app/lifecycle';
import { OutboundClient, type OutboundAnswer } from '@app/outbound';
import { failureOfAnswer, failureOfRequest, isExpected } from './judge-answer.js';
import { readOrder, type HttpOrder } from './read-order.js';
import { showAnswer, storableBytes, type HttpResult } from './show-answer.js';

type HttpRequestSettings = Pick<Config, 'outboundTimeoutMaxMs' | 'outboundResponseMaxBytes' | 'resultMaxBytes'>;

@Injectable()
@TaskHandler('http.request')
export class HttpRequest {
  private readonly responseBytesMax: number;

  constructor(
    @Inject(Config) private readonly settings: HttpRequestSettings,
    @Inject(OutboundClient) private readonly client: Pick<OutboundClient, 'request'>,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.responseBytesMax = Math.min(settings.outboundResponseMaxBytes, storableBytes(settings.resultMaxBytes));
  }

  async run(payload: unknown, context: Pick<TaskContext, 'idempotencyToken' | 'signal'>): Promise<HttpResult> {
    const order = readOrder(payload, this.responseBytesMax);
    const answer = await this.send(order, context);
    if (isExpected(answer, order.expected)) return showAnswer(answer);
    throw failureOfAnswer(answer, this.clock.now());
  }

  private async send(order: HttpOrder, { idempotencyToken, signal }: Parameters<HttpRequest['run']>[1]): Promise<OutboundAnswer> {
    const { url, method, headers, body, maxResponseBytes } = order;
    try {
      return await this.client.request({
        url,
        method,
        headers,
        ...(body === null ? {} : { body }),
        ownHeaders: { 'Idempotency-Key': idempotencyToken },
        timeoutMs: this.settings.outboundTimeoutMaxMs,
        maxResponseBytes,
        signal,
      });
    } catch (error) {
      throw failureOfRequest(error);
    }
  }
}
