/** Shows the workers of the installation, live and lost. They serve all tenants, so the list names no task and no tenant. */
import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Scopes } from '@app/auth';
import { Workers } from '@app/tasks';
import { QueryReader } from '../request/query-reader.js';
import { showWorker, WorkerListResponse } from './worker.response.js';

@ApiTags('workers')
@Controller('api/workers')
@UseGuards(QueryReader)
export class WorkersController {
  constructor(@Inject(Workers) private readonly workers: Workers) {}

  @Get()
  @Scopes('workers:read')
  @ApiOperation({ summary: 'List workers' })
  @ApiResponse({ status: 200, type: WorkerListResponse })
  async list(): Promise<WorkerListResponse> {
    return { items: (await this.workers.list()).map(showWorker) };
  }
}
