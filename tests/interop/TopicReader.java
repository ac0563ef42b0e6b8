import java.io.IOException;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.UUID;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.avro.Conversions;
import org.apache.avro.Schema;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.IndexedRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads a topic as a Java team would: kafka-clients, Avro, and schemas by id from the registry.
 * Usage: TopicReader (bootstrap servers) (topic) (registry url). Prints a JSON object per record,
 * up to where each partition ended when it began; values as plain.py says.
 */
public final class TopicReader {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final HttpClient http = HttpClient.newHttpClient();
    private final Map<Integer, GenericDatumReader<Object>> readers = new HashMap<>();
    private final GenericData data = new GenericData();
    private final String registry;

    private TopicReader(String registry) {
        this.registry = registry;
        data.addLogicalTypeConversion(new Conversions.DecimalConversion());
        data.addLogicalTypeConversion(new Conversions.UUIDConversion());
        data.addLogicalTypeConversion(new TimeConversions.DateConversion());
        data.addLogicalTypeConversion(new TimeConversions.TimeMillisConversion());
        data.addLogicalTypeConversion(new TimeConversions.TimeMicrosConversion());
        data.addLogicalTypeConversion(new TimeConversions.TimestampMillisConversion());
        data.addLogicalTypeConversion(new TimeConversions.TimestampMicrosConversion());
    }

    private GenericDatumReader<Object> reader(int id) throws IOException, InterruptedException {
        GenericDatumReader<Object> known = readers.get(id);
        if (known != null) {
            return known;
        }
        HttpRequest request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id))
                .header("Accept", "application/vnd.schemaregistry.v1+json").build();
        HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IOException("schema " + id + ": " + answer.statusCode() + " " + answer.body());
        }
        Schema schema = new Schema.Parser().parse(JSON.readTree(answer.body()).get("schema").asText());
        GenericDatumReader<Object> made = new GenericDatumReader<>(schema, schema, data);
        readers.put(id, made);
        return made;
    }

    private Object decode(byte[] bytes) throws IOException, InterruptedException {
        ByteBuffer framed = ByteBuffer.wrap(bytes);
        if (framed.get() != 0) {
            throw new IOException("not framed");
        }
        GenericDatumReader<Object> reader = reader(framed.getInt());
        BinaryDecoder in = DecoderFactory.get().binaryDecoder(bytes, 5, bytes.length - 5, null);
        Object value = reader.read(null, in);
        if (!in.isEnd()) {
            throw new IOException("bytes are left");
        }
        return value;
    }

    private static Object plain(Object v) {
        if (v instanceof IndexedRecord r) {
            Map<String, Object> fields = new TreeMap<>();
            r.getSchema().getFields().forEach(f -> fields.put(f.name(), plain(r.get(f.pos()))));
            return fields;
        } else if (v instanceof Map<?, ?> m) {
            Map<String, Object> entries = new TreeMap<>();
            m.forEach((k, value) -> entries.put(k.toString(), plain(value)));
            return entries;
        } else if (v instanceof List<?> items) {
            List<Object> all = new ArrayList<>();
            items.forEach(item -> all.add(plain(item)));
            return all;
        } else if (v instanceof ByteBuffer b) {
            byte[] bytes = new byte[b.remaining()];
            b.duplicate().get(bytes);
            return HexFormat.of().formatHex(bytes);
        } else if (v instanceof GenericFixed f) {
            return HexFormat.of().formatHex(f.bytes());
        } else if (v instanceof BigDecimal d) {
            return d.toPlainString();
        } else if (v instanceof Instant i) {
            return ChronoUnit.MICROS.between(Instant.EPOCH, i);
        } else if (v instanceof LocalTime t) {
            return t.toNanoOfDay() / 1000;
        } else if (v instanceof Float f) {
            return (double) f;
        }
        return v == null || v instanceof Number || v instanceof Boolean ? v : v.toString();
    }

    private static String text(Header h) {
        return h == null ? null : new String(h.value(), StandardCharsets.UTF_8);
    }

    private void show(ConsumerRecord<byte[], byte[]> r) throws IOException, InterruptedException {
        Map<String, Object> out = new TreeMap<>();
        out.put("partition", r.partition());
        out.put("offset", r.offset());
        out.put("key", new String(r.key(), StandardCharsets.UTF_8));
        out.put("type", text(r.headers().lastHeader("ce_type")));
        out.put("id", UUID.fromString(text(r.headers().lastHeader("ce_id"))).toString());
        out.put("value", plain(decode(r.value())));
        System.out.println(JSON.writeValueAsString(out));
    }

    private void run(String servers, String topic) throws IOException, InterruptedException {
        Properties p = new Properties();
        p.put("bootstrap.servers", servers);
        p.put("isolation.level", "read_committed");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> all = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(
                    i -> all.add(new TopicPartition(topic, i.partition())));
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Instant deadline = Instant.now().plusSeconds(20);
            while (all.stream().anyMatch(t -> consumer.position(t) < ends.get(t))) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofSeconds(1))) {
                    show(r);
                }
                if (Instant.now().isAfter(deadline)) {
                    throw new IOException("the records did not come within 20 s");
                }
            }
        }
    }

    /** See above. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        new TopicReader(arguments[2]).run(arguments[0], arguments[1]);
    }
}
