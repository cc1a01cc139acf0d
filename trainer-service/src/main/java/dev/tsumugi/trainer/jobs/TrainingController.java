package dev.tsumugi.trainer.jobs;

import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

/** Training jobs and their schedules. What lists, lists what is stored; what would train says that it cannot yet. */
@RestController
@RequestMapping("/internal")
class TrainingController {
    private final JdbcClient jdbc;

    TrainingController(JdbcClient jdbc) {
        this.jdbc = jdbc;
    }

    @GetMapping("/training/jobs")
    Map<String, List<Map<String, @Nullable Object>>> jobs(Caller caller) {
        return Map.of(
                "jobs",
                list("SELECT id, state, created_at FROM jobs WHERE tenant = ? ORDER BY created_at DESC, id", caller));
    }

    @GetMapping("/training/schedules")
    Map<String, List<Map<String, @Nullable Object>>> schedules(Caller caller) {
        return Map.of("schedules", list("SELECT name, cron FROM schedules WHERE tenant = ? ORDER BY name", caller));
    }

    @GetMapping("/training/jobs/{id}")
    void job(@PathVariable String id) {
        throw ProblemException.notFound("job-unknown", "There is no training job with the id " + id + ".");
    }

    @PostMapping("/training/jobs")
    void startJob() {
        throw notBuilt("Training jobs are");
    }

    @DeleteMapping("/training/jobs/{id}")
    void cancelJob(@PathVariable String id) {
        job(id);
    }

    @PostMapping("/training/schedules")
    void schedule() {
        throw notBuilt("Training schedules are");
    }

    @DeleteMapping("/training/schedules/{name}")
    void unschedule(@PathVariable String name) {
        throw ProblemException.notFound("schedule-unknown", "There is no training schedule named " + name + ".");
    }

    private List<Map<String, @Nullable Object>> list(String sql, Caller caller) {
        return jdbc.sql(sql).param(caller.tenant()).query().listOfRows();
    }

    private static ProblemException notBuilt(String what) {
        return new ProblemException(
                HttpStatus.NOT_IMPLEMENTED,
                "not-built",
                what
                        + " not built yet in this version. Examples and feedback are stored already, so nothing that you send is lost.");
    }
}
