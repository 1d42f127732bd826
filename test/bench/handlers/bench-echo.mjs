/** The handler that is measured: it returns its payload, as `echo` does, and writes down when it was started. */
import { recordArrival } from '../record-arrival.mjs';

export default {
  name: 'bench.echo',
  run(payload) {
    recordArrival(payload.number);
    return payload;
  },
};
