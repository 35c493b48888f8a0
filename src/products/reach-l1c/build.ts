/**
 * One day's product from one artifact: read, arrange, write. Runs in a thread; see `thread.ts`.
 */
import { CdfWriter } from '../../formats/cdf/index.ts';
import type { CdfSchema, CdfWriteResult } from '../../formats/cdf/index.ts';
import { arrangeByTime, dropDuplicates, smallestStep, soleDescriptor } from './assemble/arrange.ts';
import { makeBlocks, SENSOR_VARIABLES } from './assemble/blocks.ts';
import { makeAxes } from './assemble/channels.ts';
import { RecordCollector } from './assemble/collector.ts';
import { remarkFlavors } from './assemble/flavors.ts';
import { checkInputName, productFileName, productKey } from './names.ts';
import { readArtifact } from './read/artifact.ts';
import { instantStamp } from './read/instant.ts';
import type { ProductFacts } from './schema/facts.ts';
import { globalAttributes } from './schema/global-attributes.ts';
import { flavorLabel, VARIABLE_ATTRIBUTE_ORDER, variables } from './schema/variables.ts';
import type { BuildRequest, BuildResult, Progress } from './types.ts';

/**
 * @param tell - called between steps of the work; may throw to end it, then no file stays
 * @throws PipelineError as `buildL1c` says
 */
export async function build(request: BuildRequest, tell: (progress: Progress) => void): Promise<BuildResult> {
  checkInputName(request.inputPath);
  const collector = new RecordCollector();
  try {
    return await buildFrom(request, collector, tell);
  } finally {
    collector.store.release();
  }
}

async function buildFrom(
  request: BuildRequest,
  collector: RecordCollector,
  tell: (progress: Progress) => void,
): Promise<BuildResult> {
  const tellReading = (bytesRead: number, bytesTotal: number): void => {
    tell({ phase: 'reading', bytesRead, bytesTotal });
  };
  const input = readArtifact(request.inputPath, request.format, collector, tellReading, request.knownInput);
  collector.finish(request.quarantineLimit);

  const { store, channels, vocabulary } = collector;
  const { kept, duplicates } = dropDuplicates(arrangeByTime(store), store, channels.list.length);
  const descriptor = soleDescriptor(kept, store, vocabulary.descriptors);
  const axes = makeAxes(channels, vocabulary);
  remarkFlavors(kept, store, channels, vocabulary, collector.warnings);
  const { sensor, profile, version, generationDate } = request;
  const fileName = productFileName(sensor, instantStamp(kept.times[0]!), version);
  const stepMicros = smallestStep(kept.times);
  const timeCount = kept.times.length;
  const facts = { sensor, profile, version, generationDate, fileName, descriptor, axes, timeCount, stepMicros };

  const tellWriting = (): void => {
    tell({ phase: 'writing', bytesRead: input.sizeBytes, bytesTotal: input.sizeBytes });
  };
  const written = await writeProduct(request.outputPath, facts, makeBlocks(kept, store, axes), tellWriting);
  return {
    fileName,
    key: productKey(fileName),
    sizeBytes: written.sizeBytes,
    sha256: written.sha256,
    inputSha256: input.sha256,
    descriptor,
    records: collector.records,
    readings: kept.order.length,
    times: timeCount,
    sensors: axes.sensorLabels.length,
    duplicates,
    quarantined: collector.quarantine.size,
    quarantineReasons: collector.quarantine.list(),
    unresolved: collector.unresolved,
    warnings: collector.warnings.list(),
  };
}

async function writeProduct(
  path: string,
  facts: ProductFacts,
  blocks: ReturnType<typeof makeBlocks>,
  onBlock: () => void,
): Promise<CdfWriteResult> {
  const schema: CdfSchema = {
    globalAttributes: globalAttributes(facts),
    variables: variables(facts),
    variableAttributeOrder: VARIABLE_ATTRIBUTE_ORDER,
  };
  const writer = await CdfWriter.open(path, schema, { checksum: facts.profile === 'istp' });
  try {
    const { axes } = facts;
    await writer.append('sensor_labels', axes.sensorLabels);
    await writer.append('sensor_ids', Int32Array.from(axes.sensorIds));
    const slots = Int32Array.from({ length: axes.flavorCount }, (_, slot) => slot);
    await writer.append('dosimeter_flavor_labels', Array.from(slots, flavorLabel));
    await writer.append('dosimeter_flavor_ids', slots);
    await writer.append('dosimeter_flavors', axes.flavors.flat());
    for (const block of blocks) {
      onBlock();
      await writer.append('Epoch', block.epoch);
      await writer.append('dose_rate', block.doseRate);
      for (const [index, [name]] of SENSOR_VARIABLES.entries()) await writer.append(name, block.perSensor[index]!);
    }
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
