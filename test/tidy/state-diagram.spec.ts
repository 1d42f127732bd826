/** The state machine is drawn for people and written down for the program; the two must tell the same story. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { MOVES, TASK_STATES } from '@app/tasks';
import { ROOT } from './source-tree.js';

const document = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
const diagram = /^```mermaid\nstateDiagram-v2\n(.*?)^```$/ms.exec(document)?.[1] ?? '';
const lines = diagram
  .split('\n')
  .map((line) => line.trim())
  .filter((line) => line !== '');
const edges = lines.filter((line) => !line.includes('[*]'));
const moves = MOVES.map(({ from, to, by }) => `${from} --> ${to}: ${by}`);

describe('the state diagram of docs/architecture.md', () => {
  it('draws every move of the table, with who makes it', () => {
    expect(moves.filter((move) => !edges.includes(move))).toEqual([]);
  });

  it('draws nothing that is not in the table', () => {
    expect(edges.filter((edge) => !moves.includes(edge))).toEqual([]);
  });

  it('draws each move once', () => {
    expect(edges).toHaveLength(new Set(edges).size);
  });

  it('begins and ends only in states that exist', () => {
    const ends = lines.filter((line) => line.includes('[*]')).map((line) => line.replace('[*]', '').replace('-->', '').trim());
    expect(ends.filter((state) => !TASK_STATES.some((known) => known === state))).toEqual([]);
  });
});
