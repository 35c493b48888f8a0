/**
 * Damage at random, the same for the same seed: for tests and for the long fuzzing of `scripts/fuzz-cdf.ts`.
 */
import { CdfReader, FormatError, validateCdf } from '../../../src/formats/cdf/index.ts';

/** Mulberry32: small, seedable, good enough to choose places. */
export function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below) | 0;
  };
}

const ODD_INT32 = [0, 1, -1, 2, 7, 255, 65_536, 2 ** 31 - 1, -(2 ** 31), 1_000_000_000];
const ODD_INT64 = [0n, 8n, -1n, 28n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];

/** One to four kinds of damage to a copy of `bytes`. */
export function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  let mutated = Buffer.from(bytes);
  for (let times = 1 + random(4); times > 0; times--) {
    // Descriptions come first in most files; a third of the damage goes there.
    const reach = random(3) === 0 ? Math.min(mutated.length, 1024) : mutated.length;
    const at = random(Math.max(1, reach - 8));
    switch (random(8)) {
      case 0:
        mutated = mutated.subarray(0, at);
        break;
      case 1:
        mutated.copy(mutated, at, random(mutated.length), random(mutated.length));
        break;
      case 2:
      case 3:
        if (at + 4 <= mutated.length) mutated.writeInt32BE(ODD_INT32[random(ODD_INT32.length)]!, at & ~3);
        break;
      case 4:
      case 5:
        if (at + 8 <= mutated.length) mutated.writeBigInt64BE(ODD_INT64[random(ODD_INT64.length)]!, at & ~3);
        break;
      default:
        if (mutated.length > 0) mutated[at] = mutated[at]! ^ (1 << random(8));
    }
  }
  return mutated;
}

export type Outcome = 'read' | 'refused';

/**
 * Checks a damaged file, then reads all of it in pieces.
 *
 * @returns `refused` for a typed refusal
 * @throws whatever else comes: a bug
 */
export async function readDamaged(path: string): Promise<Outcome> {
  const { findings } = await validateCdf(path);
  const outcome = await readAll(path);
  const isSound = !findings.some(({ rule }) => rule.startsWith('structure.'));
  if (isSound && outcome === 'refused') throw new Error('the checker passes a file that cannot be read');
  return outcome;
}

async function readAll(path: string): Promise<Outcome> {
  let reader: CdfReader | undefined;
  try {
    reader = await CdfReader.open(path, { verifyChecksum: false });
    for (const name of reader.variables.keys()) {
      for await (const batch of reader.batches(name)) if (batch.records < 1) throw new Error('a batch without records');
    }
    return 'read';
  } catch (error) {
    if (error instanceof FormatError) return 'refused';
    throw error;
  } finally {
    await reader?.close();
  }
}
