import { describe, expect, it, jest } from '@jest/globals';
import type { Request, Response } from 'express';
import { inOrder, type Step } from './in-order.js';

describe('steps in order', () => {
  const request = {} as Request;
  const response = {} as Response;
  const next = jest.fn();
  const seen: string[] = [];
  const step =
    (name: string, error?: unknown): Step =>
    (_request, _response, proceed) => {
      seen.push(name);
      proceed(error);
    };

  it('are all taken, and then the next layer', () => {
    inOrder(step('a'), step('b'), step('c'))(request, response, next);
    expect([seen.splice(0), next.mock.calls]).toEqual([['a', 'b', 'c'], [[undefined]]]);
  });

  it('end with the first that refuses', () => {
    next.mockClear();
    const error = new Error('no');
    inOrder(step('a'), step('b', error), step('c'))(request, response, next);
    expect([seen.splice(0), next.mock.calls]).toEqual([['a', 'b'], [[error]]]);
  });

  it('throw what a step throws, so that the layer around them catches it', () => {
    next.mockClear();
    const burst: Step = () => {
      throw new Error('burst');
    };
    expect(() => inOrder(step('a'), burst, step('c'))(request, response, next)).toThrow('burst');
    expect([seen.splice(0), next.mock.calls]).toEqual([['a'], []]);
  });

  it('stop at one that answers itself', () => {
    inOrder(step('a'), () => undefined, step('c'))(request, response, next);
    expect([seen.splice(0), next.mock.calls]).toEqual([['a'], []]);
  });
});
