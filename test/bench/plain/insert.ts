/**
 * What one writes first: Nest on Express, a token checked by passport-jwt, a body checked by class-validator, and one INSERT with a
 * commit of its own per request, on a pool of 16 connections. PLAIN_SECRET=string hands the secret over as text, as tutorials do;
 * anything else as a key object, which jsonwebtoken need not parse for every token.
 */
import 'reflect-metadata';
import { createSecretKey, randomUUID } from 'node:crypto';
import { Body, Controller, Module, Post, UseGuards } from '@nestjs/common';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { IsObject, IsOptional, IsString, MaxLength } from 'class-validator';
import { createPool } from 'mysql2/promise';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { TEST_SECRET } from '../../support/token.js';
import { listen } from './listen.js';

const CREATE = `CREATE TABLE IF NOT EXISTS plain_tasks (id CHAR(36) PRIMARY KEY, tenant VARCHAR(64) NOT NULL, name VARCHAR(128) NOT NULL,
  queue VARCHAR(128) NOT NULL, status VARCHAR(16) NOT NULL, payload TEXT NOT NULL, created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  KEY (status, created_at))`;
const INSERT = 'INSERT INTO plain_tasks (id, tenant, name, queue, status, payload) VALUES (?, ?, ?, ?, ?, ?)';

const pool = createPool({ uri: process.env['DATABASE_URL'] ?? '', connectionLimit: 16 });
await pool.query(CREATE);

class NewTask {
  @IsString()
  @MaxLength(128)
  name!: string;

  @IsOptional()
  @IsString()
  @MaxLength(128)
  queue?: string;

  @IsOptional()
  @IsObject()
  payload?: Record<string, unknown>;
}

class Tokens extends PassportStrategy(Strategy) {
  constructor() {
    const key = process.env['PLAIN_SECRET'] === 'string' ? TEST_SECRET : createSecretKey(Buffer.from(TEST_SECRET));
    super({ jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: key as string, algorithms: ['HS256'] });
  }

  validate(claims: { sub: string; tenant: string }): { subject: string; tenant: string } {
    return { subject: claims.sub, tenant: claims.tenant };
  }
}

@Controller('api/tasks')
class PlainTasks {
  @Post()
  @UseGuards(AuthGuard('jwt'))
  async create(@Body() { name, queue = 'default', payload = {} }: NewTask): Promise<{ id: string; status: string }> {
    const id = randomUUID();
    await pool.execute(INSERT, [id, 'acme', name, queue, 'queued', JSON.stringify(payload)]);
    return { id, status: 'queued' };
  }
}

@Module({ imports: [PassportModule], controllers: [PlainTasks], providers: [Tokens] })
class PlainModule {}

await listen(PlainModule, true);
