// The events of GET /sse by their names. Made from the server's own /api/asyncapi.json by a test; do not edit.

export interface FanfareEvents {
  "library": {
    "Library": {
      "action": "Added" | "Updated" | "Deleted";
      "library": {
        "id": string;
        "name"?: string;
        "type"?: string;
        "root"?: string;
        "settings"?: {
          "faceThreshold"?: number;
          [field: string]: unknown;
        };
        "credentials"?: string;
        "plugin"?: unknown;
        "hidden"?: boolean;
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "library-status": {
    "LibraryStatus": {
      "message": string;
      "library": string;
      "progress"?: number;
      [field: string]: unknown;
    };
  };
  "medias": {
    "Medias": {
      "library": string;
      "medias": Array<{
        "action": "Added" | "Updated" | "Deleted";
        "media": {
          "id": string;
          "name"?: string;
          "type"?: string;
          "mimetype"?: string;
          "size"?: number;
          "added"?: number;
          "modified"?: number;
          "rating"?: number;
          "tags"?: Array<{
            "id"?: unknown;
            [field: string]: unknown;
          }>;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "upload_progress": {
    "UploadProgress": {
      "library": string;
      "mediaId": string;
      "progress": number;
      "filename"?: string;
      [field: string]: unknown;
    };
  };
  "convert_progress": {
    "ConvertProgress": {
      "library": string;
      "mediaId": string;
      "progress": number;
      "status": string;
      [field: string]: unknown;
    };
  };
  "episodes": {
    "Episodes": {
      "library": string;
      "episodes": Array<{
        "action": "Added" | "Updated" | "Deleted";
        "episode": {
          "serie": string;
          "season": number;
          "number": number;
          "name"?: string;
          "airdate"?: number;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "series": {
    "Series": {
      "library": string;
      "series": Array<{
        "action": "Added" | "Updated" | "Deleted";
        "serie": {
          "id": string;
          "name"?: string;
          "year"?: number;
          "imdbRating"?: number;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "movies": {
    "Movies": {
      "library": string;
      "movies": Array<{
        "action": "Added" | "Updated" | "Deleted";
        "movie": {
          "id": string;
          "name"?: string;
          "type"?: string;
          "year"?: number;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "people": {
    "People": {
      "library": string;
      "people": Array<{
        "action": "Added" | "Updated" | "Deleted";
        "person": {
          "id": string;
          "name"?: string;
          "socials"?: Array<unknown>;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "tags": {
    "Tags": {
      "library": string;
      "tags": Array<{
        "action": "Added" | "Updated" | "Deleted";
        "tag": {
          "id": string;
          "name"?: string;
          "path"?: string;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "collections": {
    "Collections": {
      "library": string;
      "collections": Array<{
        "action": "Added" | "Updated" | "Deleted";
        "collection": {
          "id": string;
          "name"?: string;
          "ids"?: {
            "plex"?: unknown;
            [field: string]: unknown;
          };
          "items"?: Array<string>;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "playlists": {
    "Playlists": {
      "user": string;
      "playlists": Array<{
        "action": "Added" | "Updated" | "Deleted";
        "playlist": {
          "id": string;
          "name"?: string;
          "items"?: Array<string>;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "backups": {
    "Backups": {
      "action"?: "Added" | "Updated" | "Deleted";
      "backup": {
        "backup"?: {
          "id"?: string;
          "name"?: string;
          "library"?: string;
          "schedule"?: string;
          [field: string]: unknown;
        };
        "status"?: {
          "library"?: string;
          "backup"?: string;
          "status"?: string;
          "total"?: number;
          "current"?: number;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "backups-files": {
    "BackupsFiles": {
      "library"?: string;
      "file": string;
      "progress": number;
      [field: string]: unknown;
    };
  };
  "media_progress": {
    "MediaProgress": {
      "library": string;
      "progress": {
        "userRef": string;
        "mediaRef": string;
        "progress": number;
        "modified"?: number;
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "media_rating": {
    "MediaRating": {
      "library": string;
      "rating": {
        "userRef": string;
        "mediaRef": string;
        "rating": number;
        "modified"?: number;
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "playback": {
    "Playback": {
      "session": string;
      "user": string | {
        "id": string;
        [field: string]: unknown;
      };
      "client"?: {
        "id": string;
        "name"?: string;
        "product"?: string;
        [field: string]: unknown;
      };
      "item": {
        "id": string;
        "name"?: string;
        "type"?: string;
        [field: string]: unknown;
      };
      "state": "playing" | "paused" | "buffering" | "stopped";
      "position": number;
      "duration"?: number;
      "transcode"?: string;
      "playQueue"?: {
        "id": number;
        "item"?: number;
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "transcode": {
    "Transcode": {
      "id": string;
      "user": string | {
        "id": string;
        [field: string]: unknown;
      };
      "session"?: string;
      "state": "start" | "update" | "end";
      "throttled"?: boolean;
      "complete"?: boolean;
      "progress"?: number;
      "size"?: number;
      "speed"?: number;
      "duration"?: number;
      "remaining"?: number;
      "context"?: string;
      "sourceVideoCodec"?: string;
      "sourceAudioCodec"?: string;
      "videoDecision"?: "directplay" | "copy" | "transcode" | "burn";
      "audioDecision"?: "directplay" | "copy" | "transcode" | "burn";
      "protocol"?: string;
      "container"?: string;
      "videoCodec"?: string;
      "audioCodec"?: string;
      "audioChannels"?: number;
      "width"?: number;
      "height"?: number;
      "hwRequested"?: boolean;
      "hwFullPipeline"?: boolean;
      "timestamp"?: number;
      "maxOffset"?: number;
      "minOffset"?: number;
      [field: string]: unknown;
    };
  };
  "scan": {
    "Scan": {
      "library": string;
      "name"?: string;
      "state": "started" | "progress" | "finished" | "cancelled" | "failed";
      "progress"?: number;
      "results"?: {
        "added"?: number;
        "updated"?: number;
        "missing"?: number;
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "activity": {
    "Activity": {
      "id": string;
      "state": "started" | "updated" | "ended";
      "type": string;
      "title"?: string;
      "subtitle"?: string;
      "progress"?: number;
      "cancellable"?: boolean;
      "user"?: string | {
        "id": string;
        "name"?: string;
        "ids"?: {
          "plex"?: string;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      };
      "library"?: string;
      "context"?: {
        "accessible"?: boolean;
        "exists"?: boolean;
        "key"?: string;
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "preference": {
    "Preference": {
      "id": string;
      "label"?: string;
      "summary"?: string;
      "type"?: "bool" | "int" | "double" | "text" | "enum";
      "default"?: string;
      "value": string;
      "hidden"?: boolean;
      "advanced"?: boolean;
      "group"?: string;
      [field: string]: unknown;
    };
  };
  "reachability": {
    "Reachability": {
      "reachable": boolean;
      [field: string]: unknown;
    };
  };
  "background-queue": {
    "BackgroundQueue": {
      "queue": string;
      "event": string;
      [field: string]: unknown;
    };
  };
  "log": {
    "Log": {
      "level": "trace" | "debug" | "info" | "warn" | "error" | "fatal";
      "message": string;
      "source"?: string;
      "timestamp"?: number;
      [field: string]: unknown;
    };
  };
  "server": {
    "Server": {
      "state": "restart-required" | "restarting" | "shutting-down" | "update";
      "reason"?: string;
      [field: string]: unknown;
    };
  };
  "message": {
    "Message": {
      "text": string;
      "header"?: string;
      "to"?: string;
      [field: string]: unknown;
    };
  };
  "user": {
    "User": {
      "action": "Added" | "Updated" | "Deleted";
      "user": {
        "id": string;
        "name"?: string;
        "token"?: string;
        "settings"?: {
          "theme"?: string;
          [field: string]: unknown;
        };
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "notification": {
    "Notification": {
      "state": "added" | "updated" | "read";
      "user": string | {
        "id": string;
        [field: string]: unknown;
      };
      "notifications": Array<{
        "id": string;
        "name"?: string;
        "level"?: string;
        "url"?: unknown;
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "remote-control": {
    "RemoteControl": {
      "to": string;
      "user"?: string;
      "play": {
        "items": Array<string>;
        "command": "PlayNow" | "PlayNext" | "PlayLast";
        "position"?: number;
        "audio"?: number;
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "presence": {
    "Presence": {
      "state": "online" | "offline";
      "user": {
        "id": string;
        "name"?: string;
        [field: string]: unknown;
      };
      [field: string]: unknown;
    };
  };
  "request": {
    "Request": {
      "kind": string;
      "library"?: string;
      "target"?: string;
      "user"?: string;
      [field: string]: unknown;
    };
  };
  "stats": {
    "Stats": {
      "at"?: number;
      "seconds"?: number;
      "connections"?: number;
      "lagging"?: number;
      "published"?: number;
      "offered"?: number;
      "delivered"?: number;
      "skipped"?: number;
      "bytes"?: number;
      "opened"?: number;
      "closed"?: number;
      "latency_ms"?: {
        "p50"?: number;
        "p95"?: number;
        "p99"?: number;
        "p999"?: number;
        [field: string]: unknown;
      };
      "dialects"?: Array<{
        "dialect"?: string;
        "connections"?: number;
        "lagging"?: number;
        "delivered"?: number;
        "skipped"?: number;
        "latency_ms"?: unknown;
        [field: string]: unknown;
      }>;
      "shards"?: Array<{
        "shard"?: number;
        "waiting"?: number;
        "capacity"?: number;
        "outstanding"?: number;
        "credit"?: number;
        "published"?: number;
        [field: string]: unknown;
      }>;
      "workers"?: Array<{
        "worker"?: number;
        "connections"?: number;
        "busy"?: number;
        "delay_ms"?: number;
        [field: string]: unknown;
      }>;
      [field: string]: unknown;
    };
  };
  "gap": {
    "missed": number;
  };
  "expiring": {
    "seconds": number;
    "expires": number;
  };
}

export type FanfareEventName = keyof FanfareEvents;
