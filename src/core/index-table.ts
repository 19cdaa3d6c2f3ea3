/**
 * Different indices in the order in which they were added, and the place of each: what marks of all indices tell, in
 * memory of as many as are marked. A hash table with linear probing, at most half full (D. Knuth, *The Art of Computer
 * Programming* 3, 2nd ed., section 6.4), by a multiplicative hash.
 */

/** Indices that there is room for at first. */
const ROOM = 512;
/** Room that is kept when all are taken out. */
const KEPT = 2 ** 16;
/** 2³² over the golden ratio, odd. */
const FACTOR = 0x9e3779b1;

/** Indices ≥ 0, each once. */
export class IndexTable {
  /** The first `count` are those that were added; another array when there are more. */
  list = new Int32Array(ROOM);
  count = 0;
  /** The place of an index, plus 1; 0 where there is none. */
  #slots = new Int32Array(2 * ROOM);
  /** The slot of each place. */
  #slotOf = new Int32Array(ROOM);
  #shift = Math.clz32(2 * ROOM) + 1;

  /** The place of index i in the list, −1 where it is not there. Cost: O(1), expected. */
  placeOf(i: number): number {
    const slots = this.#slots;
    const last = slots.length - 1;
    for (let s = Math.imul(i, FACTOR) >>> this.#shift; ; s = (s + 1) & last) {
      const place = slots[s] - 1;
      if (place < 0 || this.list[place] === i) return place;
    }
  }

  /** The same, where it was there or is added at the end. */
  add(i: number): number {
    if (this.count === this.list.length) this.#grow();
    const slots = this.#slots;
    const last = slots.length - 1;
    for (let s = Math.imul(i, FACTOR) >>> this.#shift; ; s = (s + 1) & last) {
      const place = slots[s] - 1;
      if (place >= 0) {
        if (this.list[place] === i) return place;
        continue;
      }
      this.#slotOf[this.count] = s;
      this.list[this.count] = i;
      slots[s] = ++this.count;
      return this.count - 1;
    }
  }

  /** Takes all out. Cost: O(1) for each. */
  clear(): void {
    if (this.list.length > KEPT) this.#makeRoom(ROOM);
    else for (let place = 0; place < this.count; place++) this.#slots[this.#slotOf[place]] = 0;
    this.count = 0;
  }

  #grow(): void {
    const { list, count } = this;
    this.#makeRoom(2 * count);
    this.count = 0;
    for (let place = 0; place < count; place++) this.add(list[place]);
  }

  /** Room for so many, a power of two, and nothing in it. */
  #makeRoom(room: number): void {
    this.list = new Int32Array(room);
    this.#slotOf = new Int32Array(room);
    this.#slots = new Int32Array(2 * room);
    this.#shift = Math.clz32(2 * room) + 1;
  }
}
