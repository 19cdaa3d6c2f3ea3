/**
 * A worker in a browser: the first message says how it starts, each further one what it does.
 */
import { fromSent } from './array-place.js';
import { MessageServer } from './message-server.js';
import type { Message } from './messages.js';
import { writeReport } from './shared-report.js';
import type { WebScope, WebStart } from './web-worker.js';

const scope = globalThis as unknown as WebScope;

/** One message after the other, in the order in which they arrive. */
function serve(server: MessageServer): void {
  let done = Promise.resolve(true);
  scope.onmessage = ({ data }) => {
    done = done.then((more) => (more ? server.handle(fromSent(data as object) as Message) : false));
  };
}

scope.onmessage = ({ data }) => {
  const start = data as WebStart;
  try {
    serve(
      new MessageServer(start, (report) => {
        writeReport(start.reports, report);
      }),
    );
  } catch (error) {
    scope.postMessage(error instanceof Error ? error.message : String(error));
    return;
  }
  scope.postMessage('ready');
};
