/**
 * Requests and responses that are Express's own from birth. Express gives each pair another prototype when it gets them, and after
 * that what the engine has learnt about their shape holds no more. That costs a bare Express service a tenth of what it spends on a request. A pair
 * that is born with the prototypes that Express is about to set stays as it is.
 */
import { IncomingMessage, ServerResponse, type ServerOptions } from 'node:http';
import type { Express } from 'express';

/** The classes for the server of `app`, which from now on takes their prototypes for its own. To be called once for an app. */
export function expressMessages(app: Express): Required<Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'>> {
  class ExpressRequest extends IncomingMessage {}
  class ExpressResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {}
  // Behind them stays what Express has made for the app: its methods, and the way from a request to its app.
  Object.setPrototypeOf(ExpressRequest.prototype, app.request);
  Object.setPrototypeOf(ExpressResponse.prototype, app.response);
  app.request = ExpressRequest.prototype as typeof app.request;
  app.response = ExpressResponse.prototype as typeof app.response;
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}
