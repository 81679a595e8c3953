# Functions that work on the volume of a stopped PostgreSQL instance: sh -c THIS volume MOUNT FUNCTION ARGUMENTS
#
#   home          where the data directory belongs
#   work          the folder beside it where everything happens
#   work/data     the data directory meanwhile
#   work/rewinding, work/rewound   marks: the rewind has touched work/data, and has come to its end
#   scratch       the pod's own folder, which is gone with it: jobs, the socket and the log of the isolated server
#
# Exit 10: not as it should be, for good. Exit 11: not yet.
set -eu
export LC_ALL=C TZ=UTC PGTZ=UTC PGCONNECT_TIMEOUT=5
mount=$1
shift
scratch=${FUKKYU_SCRATCH:-/fukkyu}

# Debian's awk is a link that an image may have lost.
command -v awk >/dev/null 2>&1 || awk() { mawk "$@"; }

never() { echo "$*" >&2; exit 10; }
later() { echo "$*" >&2; exit 11; }

# find_home lets PGDATA say where the data directory belongs, else what an earlier run has noted, else the only one there is.
find_home() {
	home=${PGDATA:-}
	[ -n "$home" ] || [ ! -f "$mount/rejoin/home" ] || home=$(cat "$mount/rejoin/home")
	if [ -z "$home" ]; then
		for control in "$mount"/*/global/pg_control; do
			[ -f "$control" ] || continue
			[ -z "$home" ] || never "more than one data directory in $mount: set PGDATA in the container of the server"
			home=${control%/global/pg_control}
		done
	fi
	[ -n "$home" ] || home=$mount/pgdata
	home=${home%/}
	[ "$home" != "${mount%/}" ] || never "the data directory is the volume itself, $mount: it must be a folder in it, see PGDATA"
	work=${home%/*}/rejoin
	aside=${home%/*}/set-aside
}

# use_programs puts the programs of the server's own version first.
use_programs() {
	[ -f "$1/PG_VERSION" ] || return 0
	version=$(cat "$1/PG_VERSION")
	[ ! -d "/usr/lib/postgresql/$version/bin" ] || PATH=/usr/lib/postgresql/$version/bin:$PATH
	export PATH
}

# inspect prints what is there. It changes nothing.
inspect() {
	data=$home
	at=none
	if [ -f "$home/global/pg_control" ]; then
		at=home
	elif [ -d "$work/data" ]; then
		at=work
		data=$work/data
	fi
	echo "home: $home"
	echo "at: $at"
	for mark in rewinding rewound; do [ ! -e "$work/$mark" ] || echo "$mark: yes"; done
	[ ! -f "$home/standby.signal" ] || echo "follows: yes"
	free=$(df -Pk "$mount" | awk 'NR == 2 { print $4 }')
	echo "free: $free"
	[ "$at" != none ] || return 0
	size=$(du -sk "$data" 2>/dev/null | awk '{ print $1 }')
	newest=$(ls "$data/pg_wal" | awk '/^[0-9A-F]+$/ && length($0) == 24 { t = substr($0, 1, 8) } END { print t }')
	echo "size: $size"
	echo "walTimeline: $newest"
	use_programs "$data"
	pg_controldata -D "$data"
}

# take moves the data directory into the work folder.
take() {
	mkdir -p "$work"
	if [ -d "$work/data" ]; then
		[ ! -e "$home" ] || never "both $home and $work/data are there"
		return 0
	fi
	[ -f "$home/global/pg_control" ] || never "there is no data directory in $home"
	printf %s "$home" >"$work/home"
	mv "$home" "$work/data"
	sync
}

# begin starts a job, once in the life of this pod. It outlives its caller.
begin() {
	name=$1
	mkdir "$scratch/$name" 2>/dev/null || return 0
	(
		set +e
		("job_$@") >"$scratch/$name/log" 2>&1 </dev/null
		echo $? >"$scratch/$name/code.new"
		mv "$scratch/$name/code.new" "$scratch/$name/code"
	) >/dev/null 2>&1 &
}

# look prints how a job ended, or that it runs, and the end of what it said.
look() {
	if [ -f "$scratch/$1/code" ]; then cat "$scratch/$1/code"; else echo running; fi
	tail -c 2000 "$scratch/$1/log" 2>/dev/null || true
}

# forget lets a job be begun again.
forget() { rm -rf "${scratch:?}/$1"; }

# job_scan lists the commits from a position on and the last record of the WAL.
job_scan() {
	timeline=$1 start=$2
	use_programs "$work/data"
	pg_waldump --path "$work/data/pg_wal" --timeline "$timeline" --start "$start" 2>"$work/scan.errors" |
		awk '/^rmgr: Transaction/ { print } match($0, /lsn: [0-9A-F]+\/[0-9A-F]+/) { last = substr($0, RSTART + 5, RLENGTH - 5) }
			END { print "last: " (last == "" ? "0/0" : last) }' >"$work/scan.new" || return 1
	mv "$work/scan.new" "$work/scan"
}

# scanned prints what job_scan has found, what it complained about, and whether the segment of a position is there.
scanned() {
	cat "$work/scan"
	echo "errors: $(tr '\n' ' ' <"$work/scan.errors")"
	if [ -f "$work/data/pg_wal/$1" ]; then echo "segment: yes"; fi
}

# job_count counts the changes of lost transactions by relation and kind.
job_count() {
	timeline=$1 start=$2
	use_programs "$work/data"
	pg_waldump --path "$work/data/pg_wal" --timeline "$timeline" --start "$start" 2>/dev/null |
		awk 'NR == FNR { lost[$1] = 1; next }
			/^rmgr: Heap/ && match($0, /tx: +[0-9]+/) {
				tx = substr($0, RSTART + 3, RLENGTH - 3)
				gsub(/ /, "", tx)
				if (!(tx in lost) || !match($0, /desc: [A-Z_]+/)) next
				kind = substr($0, RSTART + 6, RLENGTH - 6)
				if (!match($0, /rel [0-9]+\/[0-9]+\/[0-9]+/)) next
				rel = substr($0, RSTART + 4, RLENGTH - 4)
				count = 1
				if (kind == "MULTI_INSERT" && (match($0, /[0-9]+ tuples/) || match($0, /ntuples: [0-9]+/))) {
					text = substr($0, RSTART, RLENGTH)
					gsub(/[^0-9]/, "", text)
					count = text + 0
				}
				counts[rel " " kind] += count
			}
			END { for (key in counts) print key, counts[key] }' "$work/lost" - >"$work/counts.new" || return 1
	mv "$work/counts.new" "$work/counts"
}

# put writes its input into a file of the work folder.
put() {
	cat >"$work/$1.new"
	mv "$work/$1.new" "$work/$1"
}

# show prints a file of the work folder, if it is there.
show() { [ ! -f "$work/$1" ] || cat "$work/$1"; }

running() { pg_ctl --pgdata "$work/data" status >/dev/null 2>&1; }

# isolate starts the old data directory as a replica of nobody: it replays its own WAL, only this pod can reach it, and it is never a
# primary. It keeps its WAL, which the rewind needs.
isolate() {
	[ -d "$work/data" ] || never "there is no data directory in $work"
	[ ! -e "$work/rewinding" ] || never "a rewind has touched $work/data: it must not be started"
	use_programs "$work/data"
	! running || return 0
	: >"$work/data/standby.signal"
	rm -f "$work/data/recovery.signal" "$work/data/postmaster.pid"
	echo "local all all trust" >"$scratch/pg_hba.conf"
	options="-c listen_addresses= -c unix_socket_directories=$scratch -c port=5432 -c hba_file=$scratch/pg_hba.conf -c ssl=off"
	options="$options -c hot_standby=on -c primary_conninfo= -c primary_slot_name= -c restore_command= -c archive_mode=off"
	options="$options -c recovery_target_timeline=current -c recovery_target_action=pause -c recovery_end_command= -c archive_cleanup_command="
	options="$options -c wal_keep_size=1048576 -c max_slot_wal_keep_size=-1 -c logging_collector=off -c external_pid_file= -c cluster_name=isolated"
	[ "${version%%.*}" -ge 16 ] || options="$options -c promote_trigger_file="
	# Whether it came up is for the next look to say; a replay may take longer than anybody waits here.
	pg_ctl --pgdata "$work/data" start --wait --timeout 3 --silent --log "$scratch/server.log" --options "$options" >/dev/null 2>&1 || true
}

ask() { psql --no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 --host "$scratch" --port 5432 "$@"; }

# replayed prints how far the isolated server has replayed, and the end of its log while it does not answer.
replayed() {
	use_programs "$work/data"
	running || later "the isolated server ended: $(tail -n 5 "$scratch/server.log" 2>/dev/null)"
	if said=$(ask --dbname postgres --command "SELECT pg_is_in_recovery() || ' ' || pg_last_wal_replay_lsn()" 2>&1); then
		echo "replayed: $said"
	else
		echo "starting: $(tail -n 1 "$scratch/server.log")"
	fi
}

# query runs the SQL of its input in a database of the isolated server.
query() {
	use_programs "$work/data"
	ask --dbname postgres --command "SELECT 1" >/dev/null 2>&1 || later "the isolated server does not answer"
	export PGDATABASE="$1"
	ask --file - || exit 10
}

# job_export runs the SQL that writes rows into files of the work folder.
job_export() {
	use_programs "$work/data"
	rm -f "$work"/rows-* "$work"/counted-*
	cd "$work" || return 1
	ask --dbname postgres --file "$work/export.sql" || return 1
	for counted in counted-*; do
		[ -f "$counted" ] || continue
		lines=$(wc -l <"rows-${counted#counted-}") || return 1
		[ "$((lines))" = "$(cat "$counted")" ] || { echo "$((lines)) rows were written instead of $(cat "$counted"): is the volume full?"; return 1; }
	done
	touch rows-0 && cat ledger.head rows-* ledger.tail >ledger.new && sync && mv ledger.new ledger.jsonl
}

# summed prints the digest of the ledger, how many rows of each table are in it, and the first of them.
summed() {
	echo "sha256: $(sha256sum <"$work/ledger.jsonl" | cut -d ' ' -f 1)"
	for file in "$work"/rows-*; do
		echo "file: ${file##*/rows-} $(wc -l <"$file" | tr -d ' ')"
		head -n "$1" "$file" | cut -c 1-4000
	done
}

# stop ends the isolated server in order, after which its data directory can be rewound.
stop() {
	[ -d "$work/data" ] || return 0
	use_programs "$work/data"
	! running || pg_ctl --pgdata "$work/data" stop --mode fast --wait --timeout 600 || ! running
}

# job_rewind makes the data directory one of the source's history, of which the source itself says whether it can. The mark says from
# when on the data directory is neither the old one nor a new one.
#   20: the source cannot be used now   21: it cannot be rewound   22: it is half rewound   23: its server has to replay first
job_rewind() {
	source=$1 host=$2 port=$3 catalog=$4
	[ ! -e "$work/rewound" ] || return 0
	[ ! -e "$work/rewinding" ] || { echo "an earlier rewind was interrupted"; return 22; }
	stop || { echo "the isolated server does not stop"; return 20; }
	use_programs "$work/data"
	pg_controldata -D "$work/data" | grep -q '^Database cluster state: *shut down' || { echo "the server was not shut down in order"; return 23; }
	in_recovery=$(psql --no-psqlrc --no-align --tuples-only --host "$host" --port "$port" --dbname "$catalog" --command "SELECT pg_is_in_recovery()") || return 20
	[ "$in_recovery" = f ] || { echo "$host is not a primary"; return 20; }
	# A control file that still names the timeline before the promotion would let the rewind find nothing to do.
	psql --no-psqlrc --quiet --host "$host" --port "$port" --dbname "$catalog" --command CHECKPOINT || return 20
	if ! pg_rewind --target-pgdata "$work/data" --source-server "$source" --no-ensure-shutdown --dry-run; then
		psql --no-psqlrc --quiet --host "$host" --port "$port" --dbname "$catalog" --command "SELECT 1" >/dev/null || return 20
		return 21
	fi
	touch "$work/rewinding" && sync || return 20
	pg_rewind --target-pgdata "$work/data" --source-server "$source" --no-ensure-shutdown --write-recovery-conf --progress || return 22
	[ -f "$work/data/standby.signal" ] || { echo "pg_rewind has written no standby.signal"; return 22; }
	mv "$work/rewinding" "$work/rewound"
	sync
}

# archive keeps the work folder under a name of its own.
archive() {
	[ -d "$work" ] || return 0
	mkdir -p "$aside"
	kept=$aside/rejoin-$1
	[ ! -e "$kept" ] || kept=$kept-$(date +%Y%m%dT%H%M%SZ)
	rm -f "$work"/rows-* "$work"/counted-* "$work"/scan* "$work"/counts* "$work"/lost "$work"/lost.json "$work"/export.sql "$work"/ledger.head "$work"/ledger.tail "$work"/*.new
	mv "$work" "$kept"
	sync
}

# give_back puts a data directory that was rewound where it belongs, and keeps the ledger.
give_back() {
	if [ -d "$work/data" ]; then
		[ -e "$work/rewound" ] || never "$work/data was not rewound"
		[ ! -e "$home" ] || never "$home is there already"
		rm -f "$work/data/postmaster.pid"
		mv "$work/data" "$home"
		sync
	fi
	archive "$1"
}

# set_aside keeps the data directory for good. A clone will take its place.
set_aside() {
	stop
	archive "$1"
}

# restore undoes everything as long as no rewind has touched the data directory; then it is kept aside.
restore() {
	stop
	if [ -d "$work/data" ] && [ ! -e "$work/rewinding" ] && [ ! -e "$work/rewound" ] && [ ! -e "$home" ]; then
		rm -f "$work/data/standby.signal"
		mv "$work/data" "$home"
		rm -rf "$work"
		sync
		return 0
	fi
	archive "$1"
}

find_home
"$@"
