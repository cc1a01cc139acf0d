package dev.tsumugi.trainer.jobs;

import dev.tsumugi.contracts.AdapterKey;
import dev.tsumugi.platform.web.Caller;
import dev.tsumugi.platform.web.ProblemException;
import java.time.DateTimeException;
import java.time.ZoneId;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Training jobs and their schedules. */
@RestController
@RequestMapping("/internal/training")
class JobController {
    private static final String USUAL_ADAPTER = "documents";
    private static final int MOST_PRIORITY = 100;
    private static final int MAX_PAGE = 1000;

    private final Jobs jobs;
    private final JobStore store;
    private final ScheduleStore schedules;

    JobController(Jobs jobs, JobStore store, ScheduleStore schedules) {
        this.jobs = jobs;
        this.store = store;
        this.schedules = schedules;
    }

    /**
     * @param adapter name that a better candidate is published under; absent: {@value #USUAL_ADAPTER}
     * @param priority -100 to 100, higher ones go first; absent: 0
     */
    record JobRequest(
            @Nullable String adapter,
            @Nullable Integer priority,
            @Nullable JobSettings settings) {}

    /** @param zone absent: that of the trainer's machine */
    record ScheduleRequest(
            @Nullable String name,
            @Nullable String cron,
            @Nullable String zone,
            @Nullable String adapter,
            @Nullable Integer priority,
            @Nullable JobSettings settings) {}

    record JobList(List<Job> jobs) {}

    record ScheduleList(List<Schedule> schedules) {}

    @PostMapping("/jobs")
    @ResponseStatus(HttpStatus.ACCEPTED)
    Job start(Caller caller, @RequestBody(required = false) @Nullable JobRequest request) {
        JobRequest asked = request == null ? new JobRequest(null, null, null) : request;
        return jobs.add(
                caller.tenant(),
                adapter(caller, asked.adapter()),
                priority(asked.priority()),
                settings(asked.settings()));
    }

    /** The newest first. */
    @GetMapping("/jobs")
    JobList list(Caller caller, @RequestParam(defaultValue = "100") int limit) {
        if (limit < 1 || limit > MAX_PAGE) {
            throw ProblemException.badRequest(
                    "limit-invalid", "limit must be 1 to " + MAX_PAGE + ", but is " + limit + ".");
        }
        return new JobList(store.newest(caller.tenant(), limit));
    }

    @GetMapping("/jobs/{id}")
    Job job(Caller caller, @PathVariable String id) {
        Job job = require(caller, id);
        return job.with(store.losses(caller.tenant(), job.id()));
    }

    /** One that runs ends soon after; one that is finished stays as it is. */
    @DeleteMapping("/jobs/{id}")
    @ResponseStatus(HttpStatus.ACCEPTED)
    Job cancel(Caller caller, @PathVariable String id) {
        store.cancel(caller.tenant(), require(caller, id).id());
        return require(caller, id);
    }

    /** Replaces the schedule of that name. */
    @PostMapping("/schedules")
    @ResponseStatus(HttpStatus.CREATED)
    Schedule schedule(Caller caller, @RequestBody ScheduleRequest request) {
        String cron = required("cron", request.cron());
        String name = request.name() == null ? adapter(caller, request.adapter()) : request.name();
        String zone = request.zone() == null ? ZoneId.systemDefault().getId() : request.zone();
        try {
            // A schedule may be called what an adapter may be called.
            AdapterKey unused = new AdapterKey(caller.tenant(), name);
            var parsed = Schedule.parse(cron);
            ZoneId known = ZoneId.of(zone);
        } catch (IllegalArgumentException | DateTimeException e) {
            throw ProblemException.badRequest("schedule-invalid", "The schedule is invalid: " + e.getMessage() + ".");
        }
        jobs.put(
                caller.tenant(),
                new Schedule(
                        name,
                        adapter(caller, request.adapter()),
                        cron,
                        zone,
                        priority(request.priority()),
                        settings(request.settings()),
                        null,
                        null,
                        null));
        return schedules.find(caller.tenant(), name).orElseThrow();
    }

    @GetMapping("/schedules")
    ScheduleList schedules(Caller caller) {
        return new ScheduleList(schedules.all(caller.tenant()));
    }

    /** Jobs that it made stay. */
    @DeleteMapping("/schedules/{name}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void unschedule(Caller caller, @PathVariable String name) {
        if (!schedules.delete(caller.tenant(), name)) {
            throw ProblemException.notFound("schedule-unknown", "There is no training schedule named " + name + ".");
        }
    }

    private Job require(Caller caller, String id) {
        try {
            return store.find(caller.tenant(), UUID.fromString(id)).orElseThrow(() -> unknown(id));
        } catch (IllegalArgumentException e) {
            throw unknown(id);
        }
    }

    private static ProblemException unknown(String id) {
        return ProblemException.notFound("job-unknown", "There is no training job with the id " + id + ".");
    }

    private static String adapter(Caller caller, @Nullable String name) {
        try {
            return new AdapterKey(caller.tenant(), name == null ? USUAL_ADAPTER : name).name();
        } catch (IllegalArgumentException e) {
            throw ProblemException.badRequest(
                    "adapter-invalid", "The adapter's name is invalid: " + e.getMessage() + ".");
        }
    }

    private static int priority(@Nullable Integer priority) {
        int value = priority == null ? 0 : priority;
        if (Math.abs(value) > MOST_PRIORITY) {
            throw ProblemException.badRequest(
                    "priority-invalid", "priority must be -" + MOST_PRIORITY + " to " + MOST_PRIORITY + ".");
        }
        return value;
    }

    private static JobSettings settings(@Nullable JobSettings settings) {
        JobSettings asked = settings == null ? JobSettings.DEFAULTS : settings;
        try {
            asked.check();
        } catch (IllegalArgumentException e) {
            throw ProblemException.badRequest("settings-invalid", "The settings are invalid: " + e.getMessage() + ".");
        }
        return asked;
    }

    private static String required(String field, @Nullable String value) {
        if (value == null || value.isBlank()) {
            throw ProblemException.badRequest("schedule-invalid", "The field " + field + " is missing.");
        }
        return value;
    }
}
