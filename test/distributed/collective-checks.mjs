/**
 * Every operation of a communicator against what its equation says, for whichever ranks run it: odd sizes, empty
 * contributions, all types of arrays, shared memory. Returns what failed; plain JavaScript, for ranks run it from
 * files.
 */
const TYPES = [Float64Array, Float32Array, Int32Array, Uint32Array, Uint8Array, BigInt64Array];

/** Element k of rank r: small whole numbers, which all types hold and whose sums are exact. */
const element = (type, r, k) => {
  const value = (3 * r + 5 * k + ((k * k) % 7)) % 31;
  return type === BigInt64Array ? BigInt(value) : value;
};
const filled = (type, r, length, first = 0) => {
  const data = new type(new SharedArrayBuffer(length * type.BYTES_PER_ELEMENT));
  for (let k = 0; k < length; k++) data[k] = element(type, r, first + k);
  return data;
};
const counted = (counts) => counts.reduce((sum, count) => sum + count, 0);
const same = (a, b) => a.length === b.length && a.every((value, k) => Object.is(value, b[k]));

/** What went wrong, as lines; none where all equations hold on this rank. */
export function failuresOf(world, name = '') {
  const failures = [];
  const expect = (what, found, wanted) => {
    if (!same(found, wanted)) failures.push(`${name}${what} on rank ${world.rank}: ${found} instead of ${wanted}`);
  };
  const { rank, size } = world;
  const ranks = Array.from({ length: size }, (_, r) => r);
  world.barrier();

  for (const type of TYPES) {
    for (const length of [0, 1, 12]) {
      const label = `${type.name}(${length})`;
      for (const root of ranks) {
        const data = filled(type, rank, length);
        world.broadcast(data, root);
        expect(`broadcast ${label} from ${root}`, data, filled(type, root, length));
      }
      const all = ranks.map((r) => filled(type, r, length));
      const reduced = (combine) => filled(type, rank, length).map((_, k) => all.map((one) => one[k]).reduce(combine));
      const operations = {
        sum: reduced((a, b) => a + b),
        max: reduced((a, b) => (a > b ? a : b)),
        min: reduced((a, b) => (a < b ? a : b)),
      };
      for (const [operation, wanted] of Object.entries(operations)) {
        const data = filled(type, rank, length);
        world.allreduce(data, operation);
        expect(`allreduce ${operation} ${label}`, data, wanted);
        const started = filled(type, rank, length);
        const request = world.startAllreduce(started, operation);
        while (!request.done());
        request.wait();
        expect(`startAllreduce ${operation} ${label}`, started, wanted);
      }
    }

    // Parts of odd lengths, of none, and all of them empty.
    for (const counts of [
      ranks.map((r) => (5 * r + 3) % 8),
      ranks.map((r) => (r % 2 === 0 ? 0 : 4)),
      ranks.map(() => 0),
    ]) {
      const label = `${type.name} of ${counts}`;
      const wanted = new type(counted(counts));
      let at = 0;
      for (const r of ranks) {
        wanted.set(filled(type, r, counts[r]), at);
        at += counts[r];
      }
      const own = filled(type, rank, counts[rank]);
      const all = filled(type, 9, wanted.length);
      world.allgather(own, all, counts);
      expect(`allgather ${label}`, all, wanted);
      const first = counted(counts.slice(0, rank));
      const inPlace = filled(type, 9, wanted.length);
      inPlace.set(own, first);
      world.allgather(undefined, inPlace, Int32Array.from(counts));
      expect(`allgather in place ${label}`, inPlace, wanted);
      for (const root of ranks) {
        const gathered = rank === root ? filled(type, 9, wanted.length) : undefined;
        world.gather(own, gathered, counts, root);
        if (gathered !== undefined) expect(`gather ${label} to ${root}`, gathered, wanted);
        if (rank === root) gathered.set(own, first);
        world.gather(rank === root ? undefined : own, gathered, counts, root);
        if (gathered !== undefined) expect(`gather in place ${label} to ${root}`, gathered, wanted);
      }
    }

    // What rank p sends to rank q has (p + 2q) mod 6 elements, some of them none; all empty, too.
    for (const count of [(p, q) => (p + 2 * q) % 6, (p, q) => (p === q ? 3 : 0), () => 0]) {
      const sendCounts = ranks.map((q) => count(rank, q));
      const receiveCounts = ranks.map((p) => count(p, rank));
      const send = new type(counted(sendCounts));
      let at = 0;
      for (const q of ranks) {
        send.set(filled(type, rank, sendCounts[q], 10 * q), at);
        at += sendCounts[q];
      }
      const wanted = new type(counted(receiveCounts));
      at = 0;
      for (const p of ranks) {
        wanted.set(filled(type, p, receiveCounts[p], 10 * rank), at);
        at += receiveCounts[p];
      }
      const receive = new type(wanted.length);
      world.alltoall(send, sendCounts, receive, receiveCounts);
      expect(`alltoall ${type.name} ${sendCounts}`, receive, wanted);
      // Two at once, waited for in the other order.
      const again = [new type(wanted.length), new type(wanted.length)];
      const requests = again.map((one) => world.startAlltoall(send, sendCounts, one, receiveCounts));
      requests[1].wait();
      requests[0].wait();
      for (const one of again) expect(`startAlltoall ${type.name} ${sendCounts}`, one, wanted);
    }

    // Around a ring, of odd lengths and none; tags tell messages apart, equal ones keep their order.
    const [to, from] = [(rank + 1) % size, (rank + size - 1) % size];
    for (const length of [0, 1, 9]) {
      const requests = [3, 4, 3].map((tag, k) => world.startSend(filled(type, rank, length, 20 * k), to, tag));
      const received = [4, 3, 3].map(() => new type(length));
      world.receive(received[0], from, 4);
      const second = world.startReceive(received[1], from, 3);
      world.receive(received[2], from, 3);
      second.wait();
      for (const request of requests) request.wait();
      [1, 0, 2].forEach((k, which) => {
        expect(`message ${k} of ${type.name}(${length})`, received[which], filled(type, from, length, 20 * k));
      });
    }
    if (size > 1) {
      // Blocking sends along a chain.
      const data = filled(type, 0, 5);
      if (rank > 0) world.receive(data.fill(element(type, 8, 1)), rank - 1, 32767);
      if (rank + 1 < size) world.send(data, rank + 1, 32767);
      expect(`chain of ${type.name}`, data, filled(type, 0, 5));
    }
  }

  // Halves by parity, in reversed order; rank 0 in none where there are more than two.
  const color = size > 2 && rank === 0 ? undefined : rank % 2;
  const half = world.split(color, -rank);
  const members = ranks.filter((r) => (size <= 2 || r > 0) && r % 2 === rank % 2).reverse();
  if (color === undefined) expect('split without a color', [half], [undefined]);
  else {
    expect('split', [half.rank, half.size], [members.indexOf(rank), members.length]);
    const sum = Float64Array.of(rank + 1);
    half.allreduce(sum, 'sum');
    expect('allreduce of a half', sum, [members.reduce((total, r) => total + r + 1, 0)]);
    const all = new Int32Array(half.size);
    half.allgather(
      Int32Array.of(rank),
      all,
      all.map(() => 1),
    );
    expect('allgather of a half', all, members);
    half.close();
  }
  world.barrier();
  return failures;
}

/** The name of the error that `act` throws, and what it says. */
export function errorOf(act) {
  try {
    act();
    return 'none';
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}
