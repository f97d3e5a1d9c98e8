package dev.graft.kernels.ops;

import dev.graft.kernels.driver.CudaException;
import dev.graft.kernels.driver.Cudnn;
import java.util.ArrayList;
import java.util.List;

/**
 * Convolutions by cuDNN's graph API: the convolution alone, or with residual, bias and activation as one kernel. Engines
 * come in the order of cuDNN's heuristics; those that compute less exactly than asked for are left out by their notes.
 *
 * <p>A ReLU that cuDNN fuses takes NaN for 0: its fused kernels were made for that.
 */
final class GraphConv implements ConvEngine {
    /**
     * CUDNN_HEUR_MODE_A and CUDNN_HEUR_MODE_FALLBACK, which JCudnn has no names for; the early cuDNN 8 knows INSTANT only.
     */
    private static final int HEURISTICS = 3;
    private static final int HEURISTICS_OF_8 = 0;
    private static final int FALLBACK = 2;
    private static final int MOST = 8;
    private static final int FEW = 2;

    private final Cudnn cudnn;

    GraphConv(Cudnn cudnn) {
        this.cudnn = cudnn;
    }

    @Override
    public String name() {
        return "graph";
    }

    @Override
    public List<Candidate> candidates(ConvProblem p) {
        ConvGraph graph = new ConvGraph(cudnn, p);
        try {
            graph.build();
            List<ConvGraph.Engine> engines = new ArrayList<>(graph.engines(
                    cudnn.isVersion9() ? HEURISTICS : HEURISTICS_OF_8, p.tf32(), p.deterministic()));
            if (engines.size() < FEW) {
                engines.addAll(graph.engines(FALLBACK, p.tf32(), p.deterministic()));
            }
            List<Candidate> all = new ArrayList<>();
            for (int i = 0; i < Math.min(MOST, engines.size()); i++) {
                ConvGraph.Engine e = engines.get(i);
                all.add(new Choice(graph.retain(), name() + ":" + i + ":engine" + e.number(), e));
            }
            return all;
        } catch (CudaException e) {
            if (e.sticky()) {
                throw e;
            }
            return List.of();                      // this cuDNN has no such graph
        } finally {
            graph.release();
        }
    }

    private record Choice(ConvGraph graph, String name, ConvGraph.Engine engine) implements Candidate {
        @Override
        public ConvPlan make() {
            return new GraphPlan(graph, engine);
        }

        @Override
        public void close() {
            graph.release();
        }
    }
}
