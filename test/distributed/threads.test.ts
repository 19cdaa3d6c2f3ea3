/** Ranks that are threads of one process, one process alone, and the communicator that counts. */
import { describe, expect, it } from 'vitest';
import { selfCommunicator } from '#hmatrix/distributed/self.js';
import { runOnThreads } from '#hmatrix/distributed/threads/start.js';
import type { TrafficByPhase } from '#hmatrix/distributed/recorded.js';
import { errorOf, failuresOf } from './collective-checks.mjs';

const module = new URL('thread-ranks.mjs', import.meta.url);
const onThreads = <R>(size: number, name: string, data: object = {}): Promise<R[]> =>
  runOnThreads<object, R>(size, { module, name, data });

describe('all operations', () => {
  it('of_one_process_alone_do_what_their_equations_say', () => {
    expect(failuresOf(selfCommunicator())).toEqual([]);
  });

  it.each([
    [1, false],
    [2, true],
    [3, false],
    [4, true],
  ])('of_%i_threads_do_what_their_equations_say_counted_%s', async (size, recording) => {
    const found = await onThreads<{ size: number; failures: string[] }>(size, 'checks', { recording });
    expect(found.flatMap(({ failures }) => failures)).toEqual([]);
    expect(found.map((one) => one.size)).toEqual(new Array(size).fill(size));
  });

  it('messages_longer_than_a_channel_pass_both_ways_at_once', async () => {
    expect(await onThreads(2, 'large')).toEqual([true, true]);
  });
});

describe('work that some ranks fail in', () => {
  it('fails_on_all_by_the_first_ones_error', async () => {
    const [first, second, third] = await onThreads<string[]>(3, 'failures');
    const typed = 'NonFiniteError: A number is not one. 7';
    const quoted = /^CommunicationError: Rank 2 failed: RangeError .*: out of it null$/;
    expect(first).toEqual(['done', typed, expect.stringMatching(quoted), typed]);
    expect(second).toEqual(['done', typed, expect.stringMatching(quoted), typed]);
    expect(third).toEqual(['done', typed, 'RangeError: out of it null', typed]);
  });
});

describe('a rank that ends', () => {
  it.each(['receive', 'send', 'allreduce', 'alltoall', 'barrier'])(
    'gives_a_typed_error_to_those_that_wait_in_%s',
    async (waiting) => {
      const [first, , last] = await onThreads<string>(3, 'ending', { how: 'close', waiting });
      expect(first).toMatch(/^CommunicationError: Rank 0 of 3 waits for rank 1, which has ended/);
      expect(last).toMatch(/^CommunicationError: Rank 2 of 3 waits for rank [01], which has ended/);
    },
  );

  it.each([
    ['throw', /^what went wrong$/],
    ['status', /^Rank 1 of 3 ended with status 5\.$/],
    ['abort', /^Rank 1 of 3 ended with status 7\.$/],
  ])('badly_by_%s_ends_the_run_and_says_why', async (how, wanted) => {
    await expect(onThreads(3, 'ending', { how, waiting: 'allreduce' })).rejects.toThrow(wanted);
  });
});

describe('arguments that do not fit', () => {
  const world = selfCommunicator();
  const [data, other] = [new Float64Array(4), new Float64Array(4)];
  const cases: readonly (readonly [string, () => void, RegExp])[] = [
    ['a plain array', () => world.broadcast([1, 2] as never, 0), /^ShapeError: data must be a Float64Array/],
    ['a root', () => world.broadcast(data, 1), /^OptionError: root must be a whole number from 0 to 0, not 1/],
    [
      'an operation',
      () => world.allreduce(data, 'product' as never),
      /^OptionError: operation of allreduce is "product"/,
    ],
    ['counts of other ranks', () => world.allgather(other, data, [2, 2]), /^ShapeError: There are 2 counts for 1 rank/],
    ['a count', () => world.allgather(other, data, [1.5]), /^OptionError: The count of rank 0 must be a whole/],
    [
      'the length of all',
      () => world.allgather(other, data, [5]),
      /^ShapeError: all has 4 elements, and .* 5 together/,
    ],
    ['the length of own', () => world.allgather(data.subarray(1), other, [4]), /^ShapeError: own has 3 elements/],
    [
      'types',
      () => world.allgather(new Float32Array(4), data, [4]),
      /^ShapeError: own and all must have the same type/,
    ],
    ['overlap', () => world.allgather(data, data, [4]), /^ShapeError: own and all overlap/],
    ['no all on the root', () => world.gather(data, undefined, [4], 0), /^ShapeError: gather needs all on the root/],
    [
      'own parts',
      () => world.alltoall(data, [4], data.slice(1), [3]),
      /^ShapeError: Rank 0 sends 4 elements to itself/,
    ],
    ['a tag', () => world.send(data, 0, 32768), /^OptionError: tag must be a whole number from 0 to 32767, not 32768/],
    ['a color', () => world.split(-1, 0), /^OptionError: color must be a whole number/],
    ['a status', () => world.abort(0), /^OptionError: status must be a whole number from 1 to 255, not 0/],
    [
      'a message that was not sent',
      () => world.receive(data, 0, 9),
      /^CommunicationError: .* has not sent: send first/,
    ],
  ];
  it.each(cases)('are_refused_%s', (_, act, wanted) => {
    expect(errorOf(act)).toMatch(wanted);
  });

  it('are_refused_when_the_communicator_is_closed', () => {
    const closed = selfCommunicator();
    closed.close();
    closed.close();
    expect(errorOf(() => closed.barrier())).toMatch(/^CommunicationError: The communicator is closed/);
  });
});

describe('a communicator that counts', () => {
  it('tells_calls_messages_and_bytes_of_each_phase', async () => {
    const [first, second] = await onThreads<TrafficByPhase>(4, 'traffic');
    const counted = (calls: number, messages: number, sentBytes: number, receivedBytes: number) => ({
      calls,
      messages,
      sentBytes,
      receivedBytes,
    });
    expect(first['start']).toEqual({ broadcast: counted(1, 2, 80, 0) });
    expect(second['start']).toEqual({ broadcast: counted(1, 2, 0, 80) });
    // 2n(P−1)/P numbers: 75 of 100 there, 75 back.
    expect(first['sums']).toEqual({ alltoall: counted(1, 3, 600, 600), allgather: counted(1, 2, 600, 600) });
    expect(first['messages']).toEqual({ send: counted(1, 1, 7, 0), allreduce: counted(1, 4, 48, 48) });
    expect(second['messages']).toEqual({ receive: counted(1, 0, 0, 7), allreduce: counted(1, 4, 48, 48) });
  });

  it('counts_nothing_for_one_rank_alone', async () => {
    const { recorded } = await import('#hmatrix/distributed/recorded.js');
    const world = recorded(selfCommunicator());
    const data = new Float64Array(3);
    world.barrier();
    world.broadcast(data, 0);
    world.allreduce(data, 'sum');
    world.allgather(undefined, data, [3]);
    world.alltoall(data, [3], data.slice(), [3]);
    world.send(data, 0, 1);
    world.receive(data, 0, 1);
    const all = Object.values(world.traffic['start']);
    expect(all.map(({ calls }) => calls)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(all.map(({ messages, sentBytes, receivedBytes }) => messages + sentBytes + receivedBytes)).toEqual(
      new Array(7).fill(0),
    );
  });
});
