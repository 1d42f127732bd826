/** Tells the life of a task: what happened to it, when, by whom, and why. */
import { Controller, Get, Inject, Param, UseGuards } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Caller, Scopes, type Principal } from '@app/auth';
import { Config } from '@app/config';
import { TaskTimeline } from '@app/tasks';
import { QueryReader } from '../request/query-reader.js';
import { sightOf } from './content-scope.js';
import { showTimelineItem } from './show-timeline.js';
import { TaskId } from './task-id.js';
import { TimelineResponse } from './timeline.response.js';

@ApiTags('tasks')
@Controller('api/tasks')
@UseGuards(QueryReader)
export class TimelineController {
  constructor(
    @Inject(TaskTimeline) private readonly timeline: TaskTimeline,
    @Inject(Config) private readonly config: Config,
  ) {}

  @Get(':id/timeline')
  @Scopes('tasks:read')
  @ApiOperation({
    summary: 'Read the life of a task',
    description:
      'Its submission, attempts and events, oldest first: the latest 1,000. The order is that of cause, also within a millisecond.',
  })
  @ApiParam({ name: 'id', format: 'uuid', description: 'The id of the task.' })
  @ApiResponse({ status: 200, type: TimelineResponse })
  async read(@Param('id', TaskId) id: string, @Caller() caller: Principal): Promise<TimelineResponse> {
    const { items, truncated } = await this.timeline.of(caller.tenant, id);
    const sight = sightOf(this.config, caller);
    return { items: items.map((item) => showTimelineItem(item, sight)), truncated };
  }
}
