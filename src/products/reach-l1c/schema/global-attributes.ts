/**
 * The product's global attributes, in file order (CDF §7).
 *
 * `parity` is the published list. `istp` differs where the ISTP guidelines ask for another spelling, form or value; each
 * difference is one entry below.
 */
import { CADENCE_S } from '../../../core/constellation.ts';
import { SOFTWARE } from '../../../core/version.ts';
import type { AttributeValue } from '../../../formats/cdf/index.ts';
import { logicalSource, productMode } from '../names.ts';
import type { ProductFacts } from './facts.ts';
import { STATIC_GLOBAL_ATTRIBUTES } from './static-attributes.ts';

type GlobalAttribute = readonly [name: string, values: readonly AttributeValue[]];

/** Of `istp`, in place of the published text. */
const ISTP_TEXTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['Discipline', ['Space Physics>Magnetospheric Science', 'Space Physics>Space Weather']],
  ['Instrument_type', ['Particles (space)']],
  ['Project', ['Aerospace>The Aerospace Corporation']],
  ['File_naming_convention', ['source_mode_level_datatype_yyyyMMddThhmmss_vX.Y.Z']],
  ['Time_resolution', [`${CADENCE_S} seconds`]],
]);

/** Of `istp`, in place of the published name. */
const ISTP_NAMES: ReadonlyMap<string, string> = new Map([['Acknowledgment', 'Acknowledgement']]);

export function globalAttributes(facts: ProductFacts): GlobalAttribute[] {
  const isIstp = facts.profile === 'istp';
  const fixed = STATIC_GLOBAL_ATTRIBUTES.map(([name, text]): GlobalAttribute => {
    if (name === 'Instrument_mode') return [name, [productMode(facts.sensor)]];
    if (!isIstp) return [name, [text]];
    return [ISTP_NAMES.get(name) ?? name, ISTP_TEXTS.get(name) ?? [text.trimEnd()]];
  });
  const derived: GlobalAttribute[] = [
    ['Data_version', [facts.version]],
    ['UDL_Source', [facts.descriptor]],
    ['Generation_date', [isIstp ? facts.generationDate.replaceAll('-', '') : facts.generationDate]],
    ['Logical_file_id', [facts.fileName.replace(/\.cdf$/, '')]],
    ['Logical_source', [logicalSource(facts.sensor, isIstp)]],
    ['CDF_Lib_version', [SOFTWARE.cdfLibrary]],
    ['SWxSOC_version', [SOFTWARE.swxsoc]],
    ['REACH_version', [SOFTWARE.reach]],
  ];
  return [...fixed, ...derived, ...(isIstp ? [['Product_profile', ['istp']] satisfies GlobalAttribute] : [])];
}
