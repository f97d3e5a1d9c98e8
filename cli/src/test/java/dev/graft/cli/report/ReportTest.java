package dev.graft.cli.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.GraftException;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

class ReportTest {
    /** Any unescaped character or unclosed element makes the XML parser fail. */
    private static Document parse(String html) throws Exception {
        return DocumentBuilderFactory.newInstance().newDocumentBuilder()
                .parse(new ByteArrayInputStream(html.getBytes(StandardCharsets.UTF_8)));
    }

    private static List<Element> all(Document document, String tag) {
        List<Element> found = new ArrayList<>();
        var nodes = document.getElementsByTagName(tag);
        for (int i = 0; i < nodes.getLength(); i++) {
            found.add((Element) nodes.item(i));
        }
        return found;
    }

    @Test
    void isWellFormedAndKeepsUglyNames(@TempDir Path folder) throws Exception {
        Samples.run(12).write(folder);
        Document page = parse(Files.readString(folder.resolve("report.html")));
        String shown = "a <b> & \"c\" 'd'\ufffd 日本.jpg";
        assertThat(all(page, "div")).extracting(Element::getTextContent).contains(shown);
        assertThat(all(page, "th")).extracting(Element::getTextContent).contains(shown);
        assertThat(all(page, "td")).extracting(Element::getTextContent).contains(shown, "66", "78", "94.3 %");
        assertThat(all(page, "dd")).extracting(Element::getTextContent).contains("94.1 %", "9 of 12", "1 min 23 s");
    }

    @Test
    void loadsNothingFromElsewhere() throws Exception {
        for (String html : List.of(Samples.run(3).html(), Samples.demo().html())) {
            Document page = parse(html);
            assertThat(html).doesNotContain("http:", "https:", "@import", "url(");
            assertThat(all(page, "script")).isEmpty();
            assertThat(all(page, "link")).isEmpty();
            assertThat(all(page, "img")).isNotEmpty().allSatisfy(i -> {
                assertThat(i.getAttribute("src")).startsWith("data:image/png;base64,");
                byte[] png = Base64.getDecoder().decode(i.getAttribute("src").split(",")[1]);
                assertThat(ImageIO.read(new ByteArrayInputStream(png)).getWidth()).isGreaterThanOrEqualTo(32);
            });
        }
    }

    @Test
    void isAccessible() throws Exception {
        Document page = parse(Samples.run(12).html());
        assertThat(page.getDocumentElement().getAttribute("lang")).isEqualTo("en");
        assertThat(all(page, "img")).allSatisfy(i -> assertThat(i.getAttribute("alt")).isNotBlank());
        assertThat(all(page, "th")).allSatisfy(h -> assertThat(h.getAttribute("scope")).isIn("col", "row"));
        assertThat(all(page, "table")).isNotEmpty()
                .allSatisfy(t -> assertThat(t.getElementsByTagName("caption").getLength()).isEqualTo(1));
        assertThat(all(page, "svg")).filteredOn(s -> !s.hasAttribute("aria-hidden")).hasSize(3)
                .allSatisfy(s -> assertThat(s.getAttribute("aria-label")).contains(" from ").contains(" to "));
    }

    @Test
    void styleSurvivesUnescaped() {
        String html = Samples.run(1).html();
        String style = html.substring(html.indexOf("<style>"), html.indexOf("</style>"));
        assertThat(style).contains("prefers-color-scheme: dark").doesNotContain("&");
    }

    @Test
    void copesWithOneEpochNoEpochAndMissingValues() throws Exception {
        assertThat(all(parse(Samples.run(1).html()), "circle")).hasSize(5);
        assertThat(all(parse(Samples.run(0).html()), "path")).isEmpty();
        List<EpochRow> gaps = List.of(new EpochRow(1, 1, Double.NaN, Double.NaN, Double.NaN, 0.1, 1),
                new EpochRow(2, Double.POSITIVE_INFINITY, Double.NaN, 0.5, Double.NaN, 0.1, 1),
                new EpochRow(3, 0.5, Double.NaN, 0.25, Double.NaN, 0.1, 1));
        List<LineChart> charts = Page.curves(gaps, 3);
        assertThat(charts).extracting(LineChart::isEmpty).containsExactly(false, true, false);
        Page page = new Page("x");
        page.charts(charts);
        String html = page.finish();
        assertThat(html).doesNotContain("NaN").doesNotContain("Infinity");
        String training = all(parse(html), "path").get(1).getAttribute("d");
        assertThat(training).as("two points apart, no line through the gap").matches("M[^LM]+M[^LM]+");
    }

    @Test
    void curvesLieWhereTheirValuesSay() throws Exception {
        Page page = new Page("x");
        new LineChart("t", true, List.of(new LineChart.Series("s", new double[] {1, 2, 3}, new double[] {0, 0.5, 1})), 0)
                .writeTo(page.html);
        String[] points = all(parse(page.finish()), "path").getFirst().getAttribute("d").substring(1).split("L");
        double[] first = numbers(points[0]);
        double[] middle = numbers(points[1]);
        double[] last = numbers(points[2]);
        assertThat(first[1]).isGreaterThan(last[1]);
        assertThat(middle[0]).isEqualTo((first[0] + last[0]) / 2);
        assertThat(middle[1]).isEqualTo((first[1] + last[1]) / 2);
    }

    @Test
    void demoShowsMeansAndRanges() throws Exception {
        Document page = parse(Samples.demo().html());
        assertThat(all(page, "td")).extracting(Element::getTextContent).contains("70.3 %", "68.0 %", "73.0 %");
        assertThat(all(page, "path")).hasSize(8);
        assertThat(all(page, "span")).extracting(e -> e.getAttribute("style")).contains("width: 70.3%");
    }

    @Test
    void stepsAreRound() {
        assertThat(LineChart.step(1, 5)).isEqualTo(0.2);
        assertThat(LineChart.step(2.3, 5)).isEqualTo(0.5);
        assertThat(LineChart.step(100, 8)).isEqualTo(20);
        assertThat(LineChart.step(0, 5)).isEqualTo(1);
        assertThat(LineChart.step(Double.NaN, 5)).isEqualTo(1);
    }

    @Test
    void refusesTablesThatDoNotFit() {
        assertThatThrownBy(() -> new Table("t", List.of("a", "b"), List.of(List.of("1")))).isInstanceOf(GraftException.class)
                .hasMessageContaining("2 columns");
        assertThatThrownBy(() -> new Confusion(List.of("a", "b"), new int[][] {{1, 2}, {3}}))
                .isInstanceOf(GraftException.class).hasMessageContaining("2 rows");
    }

    private static double[] numbers(String point) {
        String[] xy = point.split(" ");
        return new double[] {Double.parseDouble(xy[0]), Double.parseDouble(xy[1])};
    }
}
