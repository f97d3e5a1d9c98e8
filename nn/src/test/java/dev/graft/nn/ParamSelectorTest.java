package dev.graft.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.GraftException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ParamSelectorTest {
    private static final List<String> PATHS = List.of("features.1.weight", "features.17.conv.weight",
            "features.17.conv.bias", "features2.weight", "fc.weight", "fc.bias");

    private static Stream<String> picked(String... patterns) {
        return PATHS.stream().filter(ParamSelector.of(patterns)::matches);
    }

    @Test
    void aPathPicksAllBelowItAndNothingElse() {
        assertThat(picked("features")).containsExactlyElementsOf(PATHS.subList(0, 3));
        assertThat(picked("features.1")).containsExactly("features.1.weight");
        assertThat(picked("features.1*")).containsExactlyElementsOf(PATHS.subList(0, 3));
        assertThat(picked("features?")).containsExactly("features2.weight");
        assertThat(picked("f.")).as("a dot is a dot").isEmpty();
        assertThat(picked("re:.*\\.(bias|17)")).containsExactly("features.17.conv.bias", "fc.bias");
    }

    @Test
    void theLastPatternThatMatchesDecides() {
        assertThat(picked("*", "!fc")).containsExactlyElementsOf(PATHS.subList(0, 4));
        assertThat(picked("!fc", "*")).containsExactlyElementsOf(PATHS);
        assertThat(picked("*,!features,features.17,!*.bias")).containsExactly("features.17.conv.weight", "features2.weight",
                "fc.weight");
        assertThat(picked("!fc")).as("nothing to take away from").isEmpty();
        assertThat(picked("*", "!re:f.{1,3}weight")).as("a comma in a regular expression").doesNotContain("fc.weight");
        assertThat(PATHS.stream().filter(ParamSelector.of("fc").and(ParamSelector.of("!fc.bias"))::matches))
                .containsExactly("fc.weight");
    }

    @Test
    void freezingAnewForgetsWhatWasSetBefore() {
        Sequential net = new Sequential(new Linear(2, 2), new Dropout(0.5), new Linear(2, 2));
        net.parameters().get("0.bias").trainable(false);
        net.freeze(ParamSelector.of("2"));
        assertThat(net.parameters().entrySet().stream().filter(p -> p.getValue().trainable()).map(p -> p.getKey()))
                .containsExactly("0.weight", "0.bias");
        net.freeze(ParamSelector.of("*", "!2.bias"));
        assertThat(net.modules().entrySet().stream().filter(m -> m.getValue().frozen()).map(m -> m.getKey()))
                .as("a layer with something to learn is not frozen").containsExactly("0", "1");
    }

    @Test
    void whatCouldMatchBelowAPathIsToldFromWhatCannot() {
        for (String p : new String[] {"fc", "fc.1", "!fc.1", "fc*", "f?", "*", "*.1.weight", "f*x", "re:fc\\.[0-9]+",
            "re:.*bias", "features,fc.9"}) {
            assertThat(ParamSelector.of(p).mayMatchBelow("fc")).as(p).isTrue();
        }
        for (String p : new String[] {"fcc", "fcc.1", "!fcc", "f", "fc1*", "re:fc", "re:fcc.*", "features.*", "?fc",
            "f?c*"}) {
            assertThat(ParamSelector.of(p).mayMatchBelow("fc")).as(p).isFalse();
        }
        assertThat(ParamSelector.of("classifier.66").mayMatchBelow("classifier.6")).isFalse();
        assertThat(ParamSelector.of("classifier.6.0").mayMatchBelow("classifier.6")).isTrue();
    }

    @Test
    void aBadRegularExpressionIsNamed() {
        assertThatThrownBy(() -> ParamSelector.of("re:(")).isInstanceOf(GraftException.class).hasMessageContaining("re:(");
    }
}
