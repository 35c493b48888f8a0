import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import uk.ac.bristol.star.cdf.AttributeEntry;
import uk.ac.bristol.star.cdf.CdfContent;
import uk.ac.bristol.star.cdf.CdfReader;
import uk.ac.bristol.star.cdf.DataType;
import uk.ac.bristol.star.cdf.GlobalAttribute;
import uk.ac.bristol.star.cdf.Variable;
import uk.ac.bristol.star.cdf.VariableAttribute;

/**
 * Prints CDF files as JCDF sees them, one JSON object per line and file, in the form of test/support/python/dump.py.
 *
 *     printf '%s\n' FILE... | java -cp jcdf.jar JcdfDump.java
 */
public final class JcdfDump {
    private static final int LONG = 65536;
    private static final Map<String, Integer> CODES = Map.ofEntries(
        Map.entry("INT1", 1), Map.entry("INT2", 2), Map.entry("INT4", 4), Map.entry("INT8", 8),
        Map.entry("UINT1", 11), Map.entry("UINT2", 12), Map.entry("UINT4", 14), Map.entry("REAL4", 21),
        Map.entry("REAL8", 22), Map.entry("EPOCH", 31), Map.entry("EPOCH16", 32), Map.entry("TIME_TT2000", 33),
        Map.entry("BYTE", 41), Map.entry("FLOAT", 44), Map.entry("DOUBLE", 45), Map.entry("CHAR", 51),
        Map.entry("UCHAR", 52));

    public static void main(String[] arguments) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String path = input.readLine(); path != null; path = input.readLine()) {
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("file", path);
            try {
                result.putAll(read(path));
            } catch (Throwable error) { // whatever a reader throws is its verdict on the file
                result.put("error", error.toString());
            }
            output.println(json(result));
        }
    }

    private static Map<String, Object> read(String path) throws Exception {
        CdfContent content = new CdfContent(new CdfReader(new File(path)));
        List<Object> variables = new ArrayList<>();
        Map<String, Object> attributes = new LinkedHashMap<>();
        for (Variable variable : content.getVariables()) {
            variables.add(describe(variable));
            Map<String, Object> own = new LinkedHashMap<>();
            for (VariableAttribute attribute : content.getVariableAttributes()) {
                AttributeEntry entry = attribute.getEntry(variable);
                if (entry != null) own.put(attribute.getName(), entry(entry));
            }
            attributes.put(variable.getName(), own);
        }
        Map<String, Object> globals = new LinkedHashMap<>();
        for (GlobalAttribute attribute : content.getGlobalAttributes()) {
            Map<String, Object> entries = new LinkedHashMap<>();
            AttributeEntry[] all = attribute.getEntries();
            for (int i = 0; i < all.length; i++) {
                if (all[i] != null) entries.put(String.valueOf(i), entry(all[i]));
            }
            globals.put(attribute.getName(), entries);
        }
        return Map.of("variables", variables, "globals", globals, "attributes", attributes);
    }

    private static Map<String, Object> describe(Variable variable) throws Exception {
        DataType type = variable.getDataType();
        List<Object> dims = new ArrayList<>();
        // The shaper of a record of one value tells no dimensions.
        for (int size : variable.getDescriptor().zDimSizes) dims.add(size);
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("name", variable.getName());
        result.put("type", CODES.get(type.getName()));
        result.put("elements", variable.getDescriptor().numElems);
        result.put("dims", dims);
        result.put("recordVarying", variable.getRecordVariance());
        result.put("records", variable.getRecordCount());
        result.put("values", values(variable));
        return result;
    }

    private static Object values(Variable variable) throws Exception {
        DataType type = variable.getDataType();
        List<Object> texts = new ArrayList<>();
        Bytes bytes = new Bytes();
        Object record = variable.createRawValueArray();
        for (int i = 0; i < variable.getRecordCount(); i++) {
            variable.readRawRecord(i, record);
            if (record instanceof String[] strings) {
                for (String text : strings) texts.add(text.replaceAll("\\x00+$", "")); // JCDF keeps the padding
            } else {
                bytes.add(type, record, Array.getLength(record));
            }
        }
        return isText(type) ? texts : bytes.encoded();
    }

    private static List<Object> entry(AttributeEntry entry) throws Exception {
        DataType type = entry.getDataType();
        Object raw = entry.getRawValue();
        if (isText(type)) return List.of(CODES.get(type.getName()), ((String[]) raw)[0]);
        Bytes bytes = new Bytes();
        bytes.add(type, raw, entry.getItemCount() * type.getGroupSize());
        return List.of(CODES.get(type.getName()), bytes.encoded());
    }

    private static boolean isText(DataType type) {
        return type == DataType.CHAR || type == DataType.UCHAR;
    }

    /** Numbers as little-endian bytes of their CDF type; JCDF holds unsigned ones in the next wider Java type. */
    private static final class Bytes {
        private final StringBuilder start = new StringBuilder();
        private final MessageDigest digest;
        private long length = 0;

        Bytes() throws Exception {
            digest = MessageDigest.getInstance("SHA-256");
        }

        void add(DataType type, Object array, int count) throws IOException {
            int width = type.getByteCount() / type.getGroupSize();
            ByteBuffer buffer = ByteBuffer.allocate(count * width).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < count; i++) {
                if (array instanceof double[] numbers) buffer.putDouble(numbers[i]);
                else if (array instanceof float[] numbers) buffer.putFloat(numbers[i]);
                else if (width == 8) buffer.putLong(Array.getLong(array, i));
                else if (width == 4) buffer.putInt((int) Array.getLong(array, i));
                else if (width == 2) buffer.putShort((short) Array.getLong(array, i));
                else buffer.put((byte) Array.getLong(array, i));
            }
            digest.update(buffer.array());
            length += buffer.capacity();
            if (length <= LONG) start.append(HexFormat.of().formatHex(buffer.array()));
        }

        String encoded() {
            return length > LONG ? "sha256:" + HexFormat.of().formatHex(digest.digest()) : start.toString();
        }
    }

    private static String json(Object value) {
        if (value instanceof Map<?, ?> map) {
            List<String> members = new ArrayList<>();
            map.forEach((key, member) -> members.add(json(key) + ":" + json(member)));
            return "{" + String.join(",", members) + "}";
        }
        if (value instanceof List<?> list) {
            List<String> items = new ArrayList<>();
            for (Object item : list) items.add(json(item));
            return "[" + String.join(",", items) + "]";
        }
        if (!(value instanceof String text)) return String.valueOf(value);
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\' || c < 0x20) quoted.append(String.format("\\u%04x", (int) c));
            else quoted.append(c);
        }
        return quoted.append('"').toString();
    }
}
