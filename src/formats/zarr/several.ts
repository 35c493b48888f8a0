/**
 * Works on items, several at once.
 *
 * @throws what the first failed one threw, once no other is under way any more; what had not begun then is left
 */
export async function several<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items].toReversed();
  const runner = async (): Promise<void> => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
      try {
        await work(item);
      } catch (error) {
        queue.length = 0;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, runner));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
